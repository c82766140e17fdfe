"""Who writes and who reads does it in the context of whoever asked."""

from controller.store.store import Session, Store
from schemas import context, traces


def whose(_session: Session) -> tuple[str | None, dict[str, str]]:
    return context.trace_id(), dict(context.ids())


async def test_units_of_one_batch_each_have_the_trace_of_their_own_caller(store: Store) -> None:
    trace = traces.begun()
    with context.about(trace, user="ada"):
        written = await store.write(whose)
        read = await store.read(whose)
        asked = await store.ask(whose)
    with context.about(user="mia"):
        another = await store.write_all([whose, whose])
    after = await store.write(whose)

    assert written == read == asked == (trace.trace_id, {"user": "ada"})
    assert another == [(None, {"user": "mia"})] * 2
    assert after == (None, {})
