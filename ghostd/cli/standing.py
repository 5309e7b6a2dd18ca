"""Whether a crystal still stands, for `ghostd show`: revoked, why and by whom, and what its replays said."""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ghostd.db.store import PostgresStore


async def standing_of(store: "PostgresStore", crystal_id: str) -> dict[str, Any]:
    """Plain data: `revocation` (None while it is believed) and `replays`, the newest first."""
    from dataclasses import asdict

    revocation = await store.revocation(crystal_id)
    return {
        "revocation": asdict(revocation) if revocation else None,
        "replays": await store.replays_of(crystal_id),
    }


def describe_standing(standing: dict[str, Any]) -> str:
    """The same in one or two lines for people."""
    revocation, replays = standing["revocation"], standing["replays"]
    lines = []
    if revocation:
        by = f" by {revocation['revoked_by']}" if revocation["revoked_by"] else ""
        lines.append(f"REVOKED on {_day(revocation['revoked_at'])}{by}: {revocation['reason']}")
    if replays:
        newest = replays[0]
        times = "once" if len(replays) == 1 else f"{len(replays)} times"
        lines.append(
            f"replayed {times}, last on {_day(newest['replayed_at'])}: {newest['verdict']} ({newest['reason']})"
        )
    else:
        lines.append("not replayed since it was stored")
    return "\n".join(lines)


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
