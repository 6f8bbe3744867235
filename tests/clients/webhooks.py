"""Reads webhooks, a JSON object per line with body and token, as LiveKit's server SDK does."""

import json
import os
import sys

from livekit.api import TokenVerifier, WebhookReceiver
from livekit.protocol.egress import EgressStatus

receiver = WebhookReceiver(
    TokenVerifier(os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"])
)
for line in sys.stdin:
    sent = json.loads(line)
    event = receiver.receive(sent["body"], sent["token"])
    info = event.egress_info
    print(
        json.dumps(
            {
                "id": event.id,
                "event": event.event,
                "createdAt": event.created_at,
                "recording": info.egress_id,
                "room": info.room_name,
                "status": EgressStatus.Name(info.status),
                "startedAt": info.started_at,
                "endedAt": info.ended_at,
                "composite": info.room_composite.room_name,
                "files": [
                    {"name": file.filename, "size": file.size, "duration": file.duration}
                    for file in info.file_results
                ],
            }
        )
    )
