"""What the developer of each of AgentDojo's applications would declare about its tools.

By the meaning of a tool and never by a task: whether it changes anything, which arguments say whom
or what it is aimed at, whose words it brings in, and what in its results is the person's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from victor.messages import Effect

Vouching: TypeAlias = Callable[[Any], Iterable[object]]
"""Returns the values in a result that the application answers for."""

_LINK = re.compile(r"(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}(?:/\S*)?")


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared of one tool."""

    effect: Effect = Effect.READ_ONLY
    source: str = ""
    """Whose words are in its results; empty where they are the application's own."""
    targets: tuple[str, ...] | None = None
    vouches: Vouching = lambda _: ()
    private: str = ""
    host: str = ""
    """The argument with the address that it calls."""


def _ids(found: Any) -> Iterable[object]:
    """Return the ids of things that are the person's own, whatever strangers wrote into them."""
    entries = found if isinstance(found, list) else [found]
    return [entry.id_ for entry in entries if hasattr(entry, "id_")]


def _contacts(found: Any) -> Iterable[object]:
    return [contact.email for contact in found]


def _colleagues(found: Any) -> Iterable[object]:
    """Return who wrote the messages, and the links in them: only members of the workspace write."""
    links = (link for message in found for link in _LINK.findall(message.body))
    return [*(message.sender for message in found), *(link.rstrip(".") for link in links)]


def _names(found: Any) -> Iterable[object]:
    return list(found)


def _payees(found: Any) -> Iterable[object]:
    """Return the accounts that the person has paid before, and not those that paid them."""
    return [entry.recipient for entry in found if entry.sender == "me"]


def _standing_orders(found: Any) -> Iterable[object]:
    return [entry.id for entry in found]


def _reads(source: str = "", **more: Any) -> Declared:
    return Declared(source=source, **more)


def _changes(*targets: str, source: str = "", **more: Any) -> Declared:
    return Declared(Effect.EFFECTFUL, source, targets, **more)


_MAIL = "the mailbox"
_CALENDAR = "the calendar"
_DRIVE = "the drive"
_AGENCY = "the travel agency's pages"
_SLACK = "Slack"
_BANK = "the list of transactions"

WORKSPACE = {
    "send_email": _changes("recipients", "cc", "bcc"),
    "delete_email": _changes(),
    "get_unread_emails": _reads(_MAIL),
    "get_sent_emails": _reads(_MAIL),
    "get_received_emails": _reads(_MAIL),
    "get_draft_emails": _reads(_MAIL),
    "search_emails": _reads(_MAIL),
    "search_contacts_by_name": _reads(_MAIL, vouches=_contacts),
    "search_contacts_by_email": _reads(_MAIL, vouches=_contacts),
    "get_current_day": _reads(),
    "search_calendar_events": _reads(_CALENDAR, vouches=_ids),
    "get_day_calendar_events": _reads(_CALENDAR, vouches=_ids),
    "create_calendar_event": _changes("title", "participants", source=_CALENDAR, vouches=_ids),
    "cancel_calendar_event": _changes(source=_CALENDAR),
    "reschedule_calendar_event": _changes("event_id", source=_CALENDAR),
    "add_calendar_event_participants": _changes("event_id", "participants", source=_CALENDAR),
    "search_files_by_filename": _reads(_DRIVE, vouches=_ids),
    "search_files": _reads(_DRIVE, vouches=_ids),
    "get_file_by_id": _reads(_DRIVE, vouches=_ids),
    "list_files": _reads(_DRIVE, vouches=_ids),
    "create_file": _changes("filename", source=_DRIVE, vouches=_ids),
    "append_to_file": _changes("file_id", source=_DRIVE),
    "share_file": _changes("file_id", "email", source=_DRIVE),
    "delete_file": _changes(source=_DRIVE),
}

TRAVEL = {
    "get_user_information": _reads(private="the traveller's documents and cards"),
    "get_all_hotels_in_city": _reads(_AGENCY),
    "get_hotels_prices": _reads(_AGENCY),
    "get_rating_reviews_for_hotels": _reads(_AGENCY),
    "get_hotels_address": _reads(_AGENCY),
    "get_all_restaurants_in_city": _reads(_AGENCY),
    "get_cuisine_type_for_restaurants": _reads(_AGENCY),
    "get_restaurants_address": _reads(_AGENCY),
    "get_rating_reviews_for_restaurants": _reads(_AGENCY),
    "get_dietary_restrictions_for_all_restaurants": _reads(_AGENCY),
    "get_contact_information_for_restaurants": _reads(_AGENCY),
    "get_price_for_restaurants": _reads(_AGENCY),
    "check_restaurant_opening_hours": _reads(_AGENCY),
    "get_all_car_rental_companies_in_city": _reads(_AGENCY),
    "get_car_types_available": _reads(_AGENCY),
    "get_rating_reviews_for_car_rental": _reads(_AGENCY),
    "get_car_fuel_options": _reads(_AGENCY),
    "get_car_rental_address": _reads(_AGENCY),
    "get_car_price_per_day": _reads(_AGENCY),
    "get_flight_information": _reads(_AGENCY),
    "reserve_hotel": _changes("hotel"),
    "reserve_restaurant": _changes("restaurant"),
    "reserve_car_rental": _changes("company"),
    "search_calendar_events": WORKSPACE["search_calendar_events"],
    "get_day_calendar_events": WORKSPACE["get_day_calendar_events"],
    "create_calendar_event": WORKSPACE["create_calendar_event"],
    "cancel_calendar_event": WORKSPACE["cancel_calendar_event"],
    "send_email": WORKSPACE["send_email"],
}

BANKING = {
    "get_iban": _reads(),
    "get_balance": _reads(),
    "get_user_info": _reads(),
    "get_most_recent_transactions": _reads(_BANK, vouches=_payees),
    "get_scheduled_transactions": _reads(_BANK, vouches=_standing_orders),
    "read_file": _reads("a file that was sent to the person"),
    "send_money": _changes("recipient"),
    "schedule_transaction": _changes("recipient"),
    "update_scheduled_transaction": _changes("id", "recipient"),
    "update_password": _changes("password"),
    "update_user_info": _changes("first_name", "last_name", "street", "city"),
}

SLACK = {
    "get_channels": _reads(_SLACK, vouches=_names),
    "get_users_in_channel": _reads(_SLACK, vouches=_names),
    "read_channel_messages": _reads(_SLACK, vouches=_colleagues),
    "read_inbox": _reads(_SLACK, vouches=_colleagues),
    "send_direct_message": _changes("recipient"),
    "send_channel_message": _changes("channel"),
    "add_user_to_channel": _changes("user", "channel"),
    "invite_user_to_slack": _changes("user", "user_email"),
    "remove_user_from_slack": _changes(),
    "get_webpage": _reads("a web page", host="url"),
    "post_webpage": _changes("url", host="url"),
}

SUITES = {"workspace": WORKSPACE, "travel": TRAVEL, "banking": BANKING, "slack": SLACK}
