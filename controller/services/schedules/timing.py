"""When a schedule's times are, as far as a service knows: whoever keeps the clock hands the rule over."""

from collections.abc import Callable
from datetime import datetime

# a cron and a time zone, and the first run behind a moment; `InvalidArguments` where they are none
Following = Callable[[str, str, datetime], datetime]
