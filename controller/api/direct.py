"""A route that is asked again and again: what it is called with is taken as it is, and not worked out each time."""

from fastapi import Request, Response

from controller.api import deps
from controller.api.exact import ExactRoute, Handler, check_filters


class DirectRoute(ExactRoute):
    """Calls its function with the request, who asks, and the names in the path. It takes no filter and no body."""

    def get_route_handler(self) -> Handler:
        """The function behind the look at who asks, and nothing else."""
        endpoint = self.endpoint

        async def direct(request: Request) -> Response:
            if request.scope["query_string"]:
                check_filters(request, frozenset())
            answer: Response = await endpoint(request, await deps.actor(request), **request.path_params)
            return answer

        return direct
