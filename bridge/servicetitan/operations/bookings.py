"""Operations on bookings."""

from bridge.servicetitan import checks, requests, responses
from bridge.servicetitan.operation import CRM, LIST, PAGE, Family, Operation
from bridge.servicetitan.wire import Page


class BookingProviderTags(Family):
    """The tags that say which app a booking came through."""

    name = "booking_provider_tags"

    list = Operation(
        method="GET",
        path=CRM + "/booking-provider-tags",
        scope="tn.crm.bookingprovidertags:r",
        query=(*LIST, "name", "ids", "sort"),
        answer=Page[responses.GetBookingProviderTagResponse],
    )
    create = Operation(
        method="POST",
        path=CRM + "/booking-provider-tags",
        scope="tn.crm.bookingprovidertags:w",
        body=requests.CreateBookingProviderTagRequest,
        answer=responses.CreateBookingProviderTagResponse,
    )
    get = Operation(
        method="GET",
        path=CRM + "/booking-provider-tags/{id}",
        scope="tn.crm.bookingprovidertags:r",
        answer=responses.GetBookingProviderTagResponse,
    )
    update = Operation(
        method="PATCH",
        path=CRM + "/booking-provider-tags/{id}",
        scope="tn.crm.bookingprovidertags:w",
        body=requests.UpdateBookingProviderTagRequest,
        answer=responses.BookingProviderTagResponse,
    )


class Bookings(Family):
    """Bookings of the booking provider tag the app was granted: the only way to write a booking."""

    name = "bookings"

    list = Operation(
        method="GET",
        path=CRM + "/booking-provider/{booking_provider}/bookings",
        scope="tn.crm.bookings:r",
        query=(*LIST, "ids", "externalId", "sort"),
        answer=Page[responses.BookingResponse],
    )
    create = Operation(
        method="POST",
        path=CRM + "/booking-provider/{booking_provider}/bookings",
        scope="tn.crm.bookings:w",
        body=requests.CreateBookingRequest,
        check=checks.booking,
        answer=responses.BookingResponse,
    )
    get = Operation(
        method="GET",
        path=CRM + "/booking-provider/{booking_provider}/bookings/{id}",
        scope="tn.crm.bookings:r",
        answer=responses.BookingResponse,
    )
    update = Operation(
        method="PATCH",
        path=CRM + "/booking-provider/{booking_provider}/bookings/{id}",
        scope="tn.crm.bookings:w",
        body=requests.UpdateBookingRequest,
        answer=responses.BookingResponse,
    )
    dismiss = Operation(
        method="POST",
        path=CRM + "/booking-provider/{booking_provider}/bookings/{id}/dismiss",
        scope="tn.crm.bookings:w",
        body=requests.DismissBookingModel,
    )
    contacts = Operation(
        method="GET",
        path=CRM + "/booking-provider/{booking_provider}/bookings/{id}/contacts",
        scope="tn.crm.bookings:r",
        query=PAGE,
        answer=Page[responses.BookingContactResponse],
    )
    create_contact = Operation(
        method="POST",
        path=CRM + "/booking-provider/{booking_provider}/bookings/{id}/contacts",
        scope="tn.crm.bookings:w",
        body=requests.ContactCreateRequest,
        answer=responses.BookingContactResponse,
    )
    update_contact = Operation(
        method="PATCH",
        path=CRM + "/booking-provider/{booking_provider}/bookings/{id}/contacts/{contactId}",
        scope="tn.crm.bookings:w",
        body=requests.UpdateBookingContactRequest,
        answer=responses.UpdatedBookingContact,
    )
    delete_contact = Operation(
        method="DELETE",
        path=CRM + "/booking-provider/{booking_provider}/bookings/{id}/contacts/{contactId}",
        scope="tn.crm.bookings:w",
    )


class TenantBookings(Family):
    """Bookings of every provider, read only; for apps connected with no restriction."""

    name = "tenant_bookings"

    list = Operation(
        method="GET",
        path=CRM + "/bookings",
        scope="tn.crm.bookings:r",
        query=(*LIST, "ids", "externalId", "sort"),
        answer=Page[responses.BookingResponse],
    )
    get = Operation(
        method="GET", path=CRM + "/bookings/{id}", scope="tn.crm.bookings:r", answer=responses.BookingResponse
    )
    contacts = Operation(
        method="GET",
        path=CRM + "/bookings/{id}/contacts",
        scope="tn.crm.bookings:r",
        query=PAGE,
        answer=Page[responses.BookingContactResponse],
    )
