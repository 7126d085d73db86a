"""What a click, a command, a shortcut or a submitted modal sends to the app, and what the answer does."""

import secrets

from bot.slack.limits import validate_view
from bot.workspace.content import checked
from bot.workspace.conversations import Conversation, Kind
from bot.workspace.delivery import Kind as Envelope
from bot.workspace.messages import Message
from bot.workspace.payloads import Json, as_object, objects
from bot.workspace.people import TEAM_DOMAIN, TEAM_ID, Person
from bot.workspace.refusals import Refused
from bot.workspace.team import APP_ID, Team
from bot.workspace.triggers import Response
from bot.workspace.views import View

NO_ANSWER = "We had some trouble connecting. Try again?"


class Interactions:
    """Builds the payloads, sends them, and does what the ack says."""

    def __init__(self, team: Team) -> None:
        self._team = team

    def command(self, person: Person, conversation: Conversation, command: str, text: str) -> Json:
        """Send a slash command; the ack's text is shown to the person alone unless it says otherwise."""
        response = self._allow(person, conversation)
        payload: Json = {
            "token": "local",
            "team_id": person.team_id,
            "team_domain": TEAM_DOMAIN,
            "channel_id": conversation.id,
            "channel_name": "directmessage" if conversation.kind is Kind.IM else conversation.name,
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": text,
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": self._url(response),
            "trigger_id": self._team.triggers.issue(person.id, now_s=self._team.clock.seconds()),
        }

        def then(answer: Json | None) -> None:
            if answer is None:
                self._whisper(person, conversation, f'{command} failed with the error "operation_timeout"')
            elif answer:
                self._answer(response, answer, command)

        self._team.deliveries.send(Envelope.COMMAND, command, payload, then=then)
        return payload

    def actions(self, person: Person, where: Message | View, action: Json) -> Json:
        """Send the use of one element in a message or a view."""
        payload = self._payload("block_actions", person) | {"actions": [action]}
        if isinstance(where, View):
            payload |= {"container": {"type": "view", "view_id": where.id}, "view": self._view(where)}
        else:
            payload |= self._message_parts(person, where)
        self._team.deliveries.send(Envelope.INTERACTION, "block_actions", payload)
        return payload

    def message_action(self, person: Person, message: Message, callback_id: str) -> Json:
        """Send a message shortcut."""
        conversation = self._team.conversations.by_id[message.channel]
        response = self._allow(person, conversation, thread_ts=message.thread_ts, message_ts=message.ts)
        payload = self._payload("message_action", person) | {
            "callback_id": callback_id,
            "action_ts": self._team.clock.ts(),
            "message_ts": message.ts,
            "response_url": self._url(response),
            "channel": {"id": conversation.id, "name": conversation.name or "directmessage"},
            "message": self._team.messages.to_json(message),
        }
        self._team.deliveries.send(Envelope.INTERACTION, "message_action", payload)
        return payload

    def submission(self, person: Person, view: View) -> Json:
        """Send a submitted modal; the ack closes it, changes it, or says what is wrong."""
        payload = self._payload("view_submission", person) | {"view": self._view(view)}

        def then(answer: Json | None) -> None:
            try:
                self._submitted(view, answer)
            except Refused as refusal:
                self._team.broke("view_submission", refusal.code)
                view.errors = {"": NO_ANSWER}
            self._team.changes.bump()

        self._team.deliveries.send(Envelope.INTERACTION, "view_submission", payload, then=then)
        return payload

    def closed(self, person: Person, view: View, *, is_cleared: bool) -> None:
        """Send `view_closed`, which apps get where the view asked for it."""
        if view.body.get("notify_on_close"):
            payload = self._payload("view_closed", person) | {"view": self._view(view), "is_cleared": is_cleared}
            payload.pop("trigger_id")
            self._team.deliveries.send(Envelope.INTERACTION, "view_closed", payload)

    def respond(self, response: Response, body: Json, where: str) -> None:
        """Do what was posted to a response_url, or what the ack of a command said.

        Raises:
            Refused: The content breaks Slack's limits.
        """
        team = self._team
        if body.get("delete_original"):
            self._remove_original(response)
            return
        content = checked(team, where, body)
        parts: Json = {"blocks": content.blocks, "attachments": content.attachments}
        if body.get("replace_original") and response.message_ts:
            self._replace_original(response, content.text, parts)
            return
        thread_ts = str(body.get("thread_ts") or response.thread_ts)
        if body.get("response_type") == "in_channel":
            team.publish(team.from_bot(response.channel, content.text, thread_ts=thread_ts, **parts))
        else:
            message = team.from_bot(
                response.channel, content.text, thread_ts=thread_ts, only_for=response.user, **parts
            )
            team.messages.add_ephemeral(message)
        team.changes.bump()

    def _answer(self, response: Response, answer: Json, command: str) -> None:
        try:
            self.respond(response, answer, f"the ack of {command}")
        except Refused as refusal:
            self._team.broke(f"the ack of {command}", f"{refusal.code} {'; '.join(refusal.problems)}")

    def _remove_original(self, response: Response) -> None:
        team = self._team
        if response.is_ephemeral:
            team.messages.ephemerals.pop((response.channel, response.message_ts), None)
        elif message := team.messages.find(response.channel, response.message_ts):
            team.delete(message)
        team.changes.bump()

    def _replace_original(self, response: Response, text: str, parts: Json) -> None:
        team = self._team
        if response.is_ephemeral:
            # After a reload the original is gone, and what replaces it is shown anew.
            team.messages.add_ephemeral(
                Message(
                    channel=response.channel,
                    ts=response.message_ts,
                    text=text,
                    user=team.bot.id,
                    bot_id=team.bot.bot_id,
                    app_id=team.bot.app_id,
                    thread_ts=response.thread_ts,
                    only_for=response.user,
                    **parts,
                )
            )
        elif message := team.messages.find(response.channel, response.message_ts):
            previous = team.messages.to_json(message)
            message.text, message.blocks, message.attachments = text, parts["blocks"], parts["attachments"]
            team.tell_changed(message, previous)
        team.changes.bump()

    def _submitted(self, view: View, answer: Json | None) -> None:
        team = self._team
        action = str((answer or {}).get("response_action") or "")
        if answer is None:
            view.errors = {"": NO_ANSWER}
        elif action == "errors":
            self._show_errors(view, as_object(answer.get("errors")))
        elif action in {"update", "push"}:
            body = as_object(answer.get("view"))
            if problems := validate_view(body):
                team.broke("view_submission", f"response_action {action}: {'; '.join(problems)}")
                view.errors = {"": NO_ANSWER}
            elif action == "update":
                team.views.replace(view, body)
            else:
                team.views.push(view.user, body)
        elif action == "clear":
            team.views.clear(view.user)
        elif team.views.top(view.user) is view:
            team.views.pop(view.user)

    def _show_errors(self, view: View, errors: Json) -> None:
        inputs = {str(block["block_id"]) for block in objects(view.body["blocks"]) if block.get("type") == "input"}
        for block_id in errors:
            if block_id not in inputs:
                self._team.broke("view_submission", f"errors: {block_id!r} is no input block of the view")
        view.errors = {block_id: str(text) for block_id, text in errors.items()}

    def _message_parts(self, person: Person, message: Message) -> Json:
        conversation = self._team.conversations.by_id[message.channel]
        is_ephemeral = bool(message.only_for)
        response = self._allow(
            person, conversation, thread_ts=message.thread_ts, message_ts=message.ts, is_ephemeral=is_ephemeral
        )
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": is_ephemeral,
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        parts: Json = {
            "container": container,
            "channel": {"id": conversation.id, "name": conversation.name or "directmessage"},
            "response_url": self._url(response),
            "state": {"values": {}},
        }
        if not is_ephemeral:
            parts["message"] = self._team.messages.to_json(message)
        return parts

    def _payload(self, kind: str, person: Person) -> Json:
        return {
            "type": kind,
            "token": "local",
            "api_app_id": APP_ID,
            "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
            "user": {"id": person.id, "username": person.name, "name": person.name, "team_id": person.team_id},
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": self._team.triggers.issue(person.id, now_s=self._team.clock.seconds()),
        }

    def _view(self, view: View) -> Json:
        return view.to_json(app_id=self._team.bot.app_id, bot_id=self._team.bot.bot_id)

    def _allow(
        self,
        person: Person,
        conversation: Conversation,
        *,
        thread_ts: str = "",
        message_ts: str = "",
        is_ephemeral: bool = False,
    ) -> Response:
        response = Response(
            token=secrets.token_urlsafe(18),
            user=person.id,
            channel=conversation.id,
            issued_s=self._team.clock.seconds(),
            thread_ts=thread_ts,
            message_ts=message_ts,
            is_ephemeral=is_ephemeral,
        )
        self._team.triggers.allow(response)
        return response

    def _url(self, response: Response) -> str:
        return f"{self._team.base_url}/response/{response.token}"

    def _whisper(self, person: Person, conversation: Conversation, text: str) -> None:
        message = Message(
            channel=conversation.id, ts=self._team.clock.ts(), text=text, username="Slackbot", only_for=person.id
        )
        self._team.messages.add_ephemeral(message)
        self._team.changes.bump()
