"""What a question asks for, told from its label (English and Spanish) or its field type.

A slot is the name of a place in an inquiry. Exact labels are looked up; looser ones are told by the words they hold, and
then the value must look the part (an `email` slot takes an address only), so a loose rule can do no harm.
"""

import re
import unicodedata
from functools import lru_cache

ATTRIBUTION = (
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_adgroup",
    "gclid", "gbraid", "wbraid", "fbclid", "msclkid", "ga_client_id", "referrer", "landing_page", "campaign",
)  # fmt: skip
ADDRESS = ("address", "street", "unit", "city", "state", "zip", "country")

_EXACT: dict[str, str] = {
    "name": (
        "name|full name|fullname|your name|your full name|customer name|contact name|client name|caller name|"
        "display name|first and last name|first last name|what is your name|what s your name|"
        "what is your full name|what s your full name|may we have your name|nombre|nombre completo|tu nombre|"
        "su nombre|nombre y apellido|nombre y apellidos|cual es tu nombre|cual es su nombre|"
        "full legal name|homeowner name|lead name|homeowner|home owner|propietario"
    ),
    "given_name": (
        "first name|firstname|fname|given name|first|name first|your first name|primer nombre|nombre de pila|"
        "contact first name"
    ),
    "surname": (
        "last name|lastname|lname|surname|family name|last|name last|your last name|apellido|apellidos|"
        "primer apellido|contact last name"
    ),
    "company": (
        "company|company name|business|business name|organization|organisation|org name|organization name|"
        "empresa|nombre de la empresa|compania|employer|account name"
    ),
    "phone": (
        "phone|phone number|phonenumber|telephone|telephone number|tel|mobile|mobile phone|mobile number|cell|"
        "cell phone|cell number|home phone|work phone|daytime phone|contact number|contact phone|your phone|"
        "your phone number|best phone number|phone no|primary phone|customer phone|caller number|callerid|"
        "caller id|whatsapp|secondary phone|alternate phone|phones|phone numbers|telefono|numero de telefono|tu telefono|su telefono|"
        "celular|numero de celular|movil|telefono movil|telefono celular|telefono de contacto"
    ),
    "email": (
        "email|e mail|emails|email address|emailaddress|e mail address|your email|your email address|work email|"
        "contact email|customer email|mail|correo|correo electronico|tu correo|su correo|tu correo electronico|"
        "su correo electronico|direccion de correo|direccion de correo electronico|what is your email|"
        "what s your email|what s your email address"
    ),
    "address": (
        "address|full address|street address|service address|property address|home address|job address|"
        "mailing address|your address|location address|project address|address of property|direccion|"
        "direccion completa|domicilio|direccion del servicio|tu direccion|su direccion|ubicacion"
    ),
    "street": (
        "street|address line 1|address 1|address1|addressline1|street line 1|addr line1|line1|line 1|street1|"
        "calle|calle y numero|mailing street"
    ),
    "unit": (
        "unit|apt|apartment|suite|address line 2|address 2|address2|addr line2|line2|line 2|street2|unit number|"
        "apartamento|piso|depto|departamento"
    ),
    "city": "city|town|suburb|ciudad|municipio|localidad|mailing city",
    "state": "state|province|region|state province|stateprovince|state region|estado|provincia|mailing state",
    "zip": (
        "zip|zip code|zipcode|postal|postal code|postalcode|postcode|post code|codigo postal|cp|your zip code|"
        "zip postal code|service zip code|mailing postal code"
    ),
    "country": "country|country code|pais|mailing country",
    "message": (
        "message|your message|comments|comment|additional comments|additional information|additional info|"
        "details|project details|job details|description|describe your project|describe the problem|"
        "describe the issue|describe your issue|please describe your issue|problem description|how can we help|"
        "how can we help you|how may we help|how may we help you|what can we help you with|"
        "what can we do for you|tell us more|tell us about your project|tell us about your issue|notes|note|"
        "special instructions|question|questions|your question|inquiry|enquiry|issue|problem|what s going on|"
        "what is the problem|what would you like to discuss|anything else|anything else we should know|mensaje|"
        "tu mensaje|su mensaje|comentario|comentarios|comentarios adicionales|descripcion|"
        "descripcion del problema|detalles|como podemos ayudarte|como podemos ayudarle|como podemos ayudar|"
        "en que podemos ayudarte|en que podemos ayudarle|cuentanos|problema|notas|pregunta|body|text|"
        "howcanwehelp|how can|how may|describe your|tell us|what can we help with|what do you need|what is the issue|what s the issue|"
        "what is wrong|what s wrong|what broke|what happened|reason for your call|que necesita|que necesitas|"
        "cual es el problema|mensaje adicional|describe tu problema|describa el problema|describa su problema"
    ),
    "service": (
        "service|services|which service|which services|what service|service type|type of service|service needed|service requested|services needed|"
        "service interested in|what service do you need|what services do you need|which service do you need|"
        "what do you need help with|work type|type of work|job type|project type|type of project|category|"
        "service category|reason for inquiry|reason for contact|interested in|i am interested in|task name|"
        "taskname|what type of service do you need|type of|servicio|servicios|tipo de servicio|servicio solicitado|"
        "que servicio necesita|que servicio necesitas|servicio requerido|tipo de trabajo|servicio de interes"
    ),
    "preferred_time": (
        "preferred time|preferred date|preferred day|preferred date and time|preferred appointment time|"
        "preferred appointment date|appointment|appointment date|appointment time|appointment date time|"
        "appointment date and time|requested date|requested time|best time|best time to call|"
        "best time to contact you|best time to reach you|when do you need service|when would you like service|"
        "when would you like us to come|desired date|service date|schedule|schedule date|date and time|"
        "availability|date time|when works best|start time|date|time|fecha|hora|fecha y hora|fecha preferida|"
        "hora preferida|fecha de la cita|cita|cuando|mejor hora para llamar|horario preferido|fecha deseada|"
        "cuando necesita el servicio|preferred appointment|time frame|timeframe|when|preferred date time|"
        "preferred schedule|desired time"
    ),
    "consent": (
        "consent|sms consent|tcpa|tcpa consent|i agree|opt in|sms opt in|text opt in|agree to terms|terms|"
        "terms and conditions|terms conditions|privacy policy|marketing consent|acepto|acepto los terminos|consentimiento|"
        "autorizo|automatedcontactcompliant|gdpr|gdpr consent"
    ),
    "is_test": (
        "is test|test lead|istest|is test lead|test|test mode|testing|test submission|is test submission|is a test|"
        "prueba|es prueba|es una prueba"
    ),
    "utm_source": "utm source|utmsource|lead source detail",
    "utm_medium": "utm medium|utmmedium",
    "utm_campaign": "utm campaign|utmcampaign",
    "utm_term": "utm term|utm keyword|utmterm",
    "utm_content": "utm content|utmcontent",
    "utm_adgroup": "utm adgroup|utm ad group|utmadgroup",
    "gclid": "gclid|gcl id|google click id|googleclickid",
    "gbraid": "gbraid",
    "wbraid": "wbraid",
    "fbclid": "fbclid|facebook click id|facebookclickid",
    "msclkid": "msclkid|microsoft click id",
    "ga_client_id": "ga client id|ga clientid|google analytics client id|gaclientid",
    "referrer": "referrer|referer|referrer url|http referer|referring url|referral url",
    "landing_page": (
        "landing page|landing page url|landing url|landing|page url|pageurl|page uri|source url|form url|landingpage|"
        "url de pagina"
    ),
    "campaign": "campaign|campaign name|campaign id|campaignid|ad name|campana",
    "meta": (
        "ip|ip address|remote ip|user agent|useragent|powered by|form id|form name|formid|formname|form title|"
        "formtitle|date submitted|time submitted|submitted at|created at|updated at|date created|timestamp|"
        "page id|page name|page uuid|variant|submission id|submissionid|entry id|user id|userid|id|uuid|"
        "handshakekey|uniqueid|recaptcha|g recaptcha response|honeypot|captcha|browser|operating system|"
        "token|access token|auth token|api key|apikey|webhook token|webhook secret|secret|hook token|csrf token"
    ),
}

EXACT = {label: slot for slot, labels in _EXACT.items() for label in labels.split("|")}

_LOOSE: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (slot, re.compile(pattern))
    for slot, pattern in (
        ("email", r"\be ?mail\b|\bcorreo\b"),
        ("phone", r"\b(phone|mobile|cell|telephone|telefono|celular|movil|whatsapp)\b"),
        ("given_name", r"\b(first|given) name\b|\bprimer nombre\b"),
        ("surname", r"\b(last|family) name\b|\bsurname\b|\bapellidos?\b"),
        ("zip", r"\b(zip|postal|postcode)\b"),
        ("unit", r"\b(address line 2|apt|apartment|suite|apartamento|depto)\b"),
        ("address", r"\baddress\b(?!ed)|\bdireccion\b|\bdomicilio\b|\bwhere is the (property|home|house|job|work)\b"),
        ("city", r"\bcity\b|\bciudad\b"),
        ("state", r"^(your )?state\b|\bprovince\b|^estado\b"),
        ("company", r"\b(company|business|organi[sz]ation) name\b|\bempresa\b"),
        ("consent", r"\b(consent|opt ?in|i agree|permission|tcpa|acepto|autorizo|consentimiento|autorizacion)\b"),
        ("preferred_time", (r"\b(preferred|best|desired|requested) (contact )?(day|date|time|appointment)|\bappointment\b"
         r"|\bwhen (do|would|can|should)\b|\bfecha\b|\bcita\b|\bcuando\b(?!.*\b(fue|instal|compr|empez|comenz))|\bmejor (hora|momento|dia)\b|\b(dia|hora) preferid")),
        ("service", (r"\b(type|kind) of (service|work|project|job|system)\b|\bservices? (do you|needed|requested|required)\b"
         r"|\btipo de servicio\b|\bque servicio\b|\b(what|which|select|choose)\b.*\bservices?\b|\bservice s requested\b"
         r"|\bneed help with\b|\b(seleccion\w+|elija)\b.*\bservicio|\bservicio\b.*\b(necesit|interes|solicit)")),
        ("message", (r"\b(message|comments?|describe|description|tell us|how (can|may) we help|details)\b"
         r"|\b(mensaje|comentarios?|describ[ae]|podemos ayudar\w*)\b|\bgoing on\b|\breason for\b|\badditional notes\b"
         r"|\b(detalles|descripcion)\b|\bcuent[ae](nos|me)\b")),
        ("name", (r"^(what is |what s |please enter |enter )?(your |the |customer |contact |homeowner )?(full )?name\b"
         r"|\bnombre completo\b|\b(tu|su) nombre\b|^(contact|customer|contact person)$"
         r"|\bnombre (de|del) (la )?(cliente|contacto|propietario)")),
        *((name, rf"\b{name.replace('_', ' ')}\b") for name in ATTRIBUTION if name.startswith("utm_") or name.endswith(("clid", "raid", "lkid"))),

    )
)  # fmt: skip

BY_TYPE = {
    "email": "email", "input_email": "email", "emailinput": "email", "control_email": "email",
    "tel": "phone", "phone": "phone", "phone_number": "phone", "phonenumber": "phone", "input_phone_number": "phone",
    "control_phone": "phone", "phoneinput": "phone", "phone input": "phone",
    "address": "address", "control_address": "address", "legal": "consent", "acceptance": "consent", "gdpr": "consent", "control_fullname": "name", "fullname": "name",
    "contact_info": "name", "textarea": "message", "long_text": "message", "longanswer": "message",
    "control_textarea": "message", "postal_code": "zip",
}  # fmt: skip
"""Field types that say what a field holds, as the form builders name them; `name` types vary too much to be trusted."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=2048)
def normal_label(label: str) -> str:
    """Return a label comparable: no accents, no capitals, no punctuation; camelCase and snake_case come apart."""
    flat = unicodedata.normalize("NFKD", _CAMEL.sub(" ", label[:300]))
    return _OTHER.sub(" ", "".join(letter for letter in flat if not unicodedata.combining(letter)).lower()).strip()


@lru_cache(maxsize=2048)
def exact_slot(label: str) -> str:
    """Return the slot a label names exactly, empty where it names none."""
    normal = normal_label(label)
    return EXACT.get(normal) or EXACT.get(normal.replace(" ", ""), "") or EXACT.get(normal.rstrip(" 0123456789"), "")


@lru_cache(maxsize=2048)
def loose_slot(label: str) -> str:
    """Return the slot whose words a label holds, empty where it holds none; the value must still look the part."""
    normal = normal_label(label)
    return next((slot for slot, pattern in _LOOSE if pattern.search(normal)), "")
