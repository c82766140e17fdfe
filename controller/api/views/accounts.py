"""Users as JSON, with what was granted to them and the keys of their programs; never what lets them in."""

from collections.abc import Sequence
from datetime import datetime

from controller.api.views.rows import Json, times
from controller.services.accounts import apikeys
from controller.store.tables import ApiKey, GrantRow, Identity, User


def user(row: User, granted: Sequence[GrantRow], linked: Sequence[Identity]) -> Json:
    """One user."""
    return times(
        {
            "username": row.username,
            "role": row.role,
            "grants": [grant(each) for each in granted if each.username == row.username],
            "added_by": row.added_by,
            "added_at": row.added_at,
            "signs_in": row.password_hash is not None,
            "identities": [
                {"issuer": each.issuer, "subject": each.subject}
                for each in linked
                if each.username == row.username
            ],
            "disabled_at": row.disabled_at,
        }
    )


def grant(row: GrantRow) -> Json:
    """A role on one device, or on a group."""
    return times(
        {
            "device_id": row.device_id,
            "group": row.group_name,
            "role": row.role,
            "granted_by": row.granted_by,
            "granted_at": row.granted_at,
        }
    )


def identity(row: Identity) -> Json:
    """Who somebody is at an identity provider."""
    return times(
        {
            "issuer": row.issuer,
            "subject": row.subject,
            "username": row.username,
            "linked_by": row.linked_by,
            "linked_at": row.linked_at,
            "used_at": row.used_at,
        }
    )


def api_key(row: ApiKey, *, now: datetime) -> Json:
    """One key. `opens`: whether it still does."""
    return times(
        {
            "key_id": row.id,
            "name": row.name,
            "username": row.username,
            "scopes": row.scopes,
            "devices": row.devices,
            "opens": apikeys.opens(row, now=now),
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "last_used_at": row.last_used_at,
            "revoked_at": row.revoked_at,
        }
    )
