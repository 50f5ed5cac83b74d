"""What each route asks for, as one table. A route that is not here is denied to everybody."""

from triage.domain.account import Permission

PUBLIC = frozenset({"/livez", "/readyz", "/sign-in", "/oidc/start", "/oidc/callback", "/oidc/sign-out"})
"""Answered without an account, as is everything under :data:`PUBLIC_FOLDER`."""
PUBLIC_FOLDER = "/static/"
METRICS = "/metrics"

_P = Permission
_STEPS = ("claim", "release", "takeover", "renew", "read", "unread", "stat", "unstat")
_USER_STEPS = ("role", "disable", "enable", "password", "sessions", "token", "revoke")
_DICOM_STUDY = "/dicomweb/studies/{study}"
_DICOM_SERIES = f"{_DICOM_STUDY}/series/{{series}}"
_DICOM_INSTANCE = f"{_DICOM_SERIES}/instances/{{instance}}"
_SEARCHES = [
    *(f"/dicomweb/{what}" for what in ("series", "instances")),
    *(f"{_DICOM_STUDY}/{what}" for what in ("series", "instances")),
    f"{_DICOM_SERIES}/instances",
]
_HEADERS = [f"{level}/metadata" for level in (_DICOM_STUDY, _DICOM_SERIES, _DICOM_INSTANCE)]
_PICTURES = [
    *(f"{level}/thumbnail" for level in (_DICOM_STUDY, _DICOM_SERIES, _DICOM_INSTANCE)),
    *(f"{_DICOM_INSTANCE}/{which}rendered" for which in ("", "frames/{frames}/")),
]
_WHOLE = [_DICOM_SERIES, _DICOM_INSTANCE, f"{_DICOM_INSTANCE}/frames/{{frames}}", f"{_DICOM_INSTANCE}/bulkdata/{{tag}}"]
ROUTES: dict[str, dict[str, Permission]] = {
    "/": {"GET": _P.VIEW},
    "/fragments/worklist": {"GET": _P.VIEW, "POST": _P.VIEW},
    "/fragments/study": {"GET": _P.VIEW},
    "/events": {"GET": _P.VIEW},
    "/study/{uid}": {"GET": _P.VIEW},
    "/api/v1/worklist": {"GET": _P.VIEW},
    "/api/v1/worklist/search": {"POST": _P.VIEW},
    "/api/v1/next": {"GET": _P.VIEW},
    "/api/v1/studies/{uid}": {"GET": _P.VIEW},
    **{f"/api/v1/studies/{{uid}}/{step}": {"POST": _P.READ} for step in _STEPS},
    "/api/v1/studies/{uid}/images": {"GET": _P.VIEW},
    "/api/v1/instances/{uid}/preview.png": {"GET": _P.VIEW},
    "/api/v1/instances/{uid}/preview.raw": {"GET": _P.VIEW},
    "/analytics": {"GET": _P.ANALYTICS},
    "/api/v1/analytics": {"GET": _P.ANALYTICS},
    "/api/v1/analytics/misses": {"GET": _P.ANALYTICS},
    "/api/v1/instances/{uid}/frame.raw": {"GET": _P.FRAMES},
    "/api/v1/instances/{uid}/heat_map": {"GET": _P.HEAT_MAP},
    "/api/v1/me": {"GET": _P.ACCOUNT},
    "/api/v1/me/sessions": {"GET": _P.ACCOUNT},
    "/api/v1/me/sessions/end-others": {"POST": _P.ACCOUNT},
    "/api/v1/me/tokens": {"GET": _P.ACCOUNT},
    "/api/v1/me/tokens/revoke": {"POST": _P.ACCOUNT},
    "/api/docs": {"GET": _P.ACCOUNT},
    "/api/openapi.json": {"GET": _P.ACCOUNT, "HEAD": _P.ACCOUNT},
    METRICS: {"GET": _P.METRICS},
    "/about": {"GET": _P.ACCOUNT},
    "/api/v1/about": {"GET": _P.ACCOUNT},
    "/admin/system": {"GET": _P.SYSTEM},
    "/api/v1/system": {"GET": _P.SYSTEM},
    "/admin/senders": {"GET": _P.SYSTEM},
    "/api/v1/senders": {"GET": _P.SYSTEM},
    "/admin/deliveries": {"GET": _P.SYSTEM},
    "/admin/deliveries/retry-refused": {"POST": _P.SYSTEM},
    "/admin/deliveries/{delivery_id}/retry": {"POST": _P.SYSTEM},
    "/api/v1/deliveries": {"GET": _P.SYSTEM},
    "/api/v1/deliveries/retry-refused": {"POST": _P.SYSTEM},
    "/api/v1/deliveries/{delivery_id}/retry": {"POST": _P.SYSTEM},
    "/admin/policy": {"GET": _P.SYSTEM},
    "/api/v1/policy": {"GET": _P.SYSTEM},
    "/api/v1/policy/preview": {"GET": _P.SYSTEM},
    "/admin/users": {"GET": _P.USERS, "POST": _P.USERS},
    "/admin/users/{name}": {"GET": _P.USERS},
    **{f"/admin/users/{{name}}/{step}": {"POST": _P.USERS} for step in _USER_STEPS},
    "/api/v1/users": {"GET": _P.USERS, "POST": _P.USERS},
    **{f"/api/v1/users/{{name}}/{step}": {"POST": _P.USERS} for step in _USER_STEPS},
    "/admin/models": {"GET": _P.MODELS},
    "/admin/models/rollback": {"GET": _P.MODELS, "POST": _P.MODELS},
    "/admin/models/{bundle_id}": {"GET": _P.MODELS},
    "/admin/models/{bundle_id}/activate": {"GET": _P.MODELS, "POST": _P.MODELS},
    "/api/v1/models": {"GET": _P.MODELS},
    "/api/v1/models/rollback": {"POST": _P.MODELS},
    "/api/v1/models/{bundle_id}": {"GET": _P.MODELS},
    "/api/v1/models/{bundle_id}/activate": {"POST": _P.MODELS},
    "/admin/audit": {"GET": _P.AUDIT},
    "/admin/audit/verify": {"POST": _P.AUDIT},
    "/api/v1/audit": {"GET": _P.AUDIT},
    "/api/v1/audit/verify": {"GET": _P.AUDIT},
    "/api/v1/audit/export": {"GET": _P.AUDIT},
    "/dicomweb/studies": {"GET": _P.VIEW, "POST": _P.STORE},
    **{path: {"GET": _P.VIEW} for path in _SEARCHES},
    _DICOM_STUDY: {"GET": _P.FRAMES, "POST": _P.STORE},
    **{path: {"GET": _P.VIEW} for path in [*_HEADERS, *_PICTURES]},
    **{path: {"GET": _P.FRAMES} for path in _WHOLE},
    "/password": {"GET": _P.ACCOUNT, "POST": _P.ACCOUNT},
    "/password/end-others": {"POST": _P.ACCOUNT},
    "/password/revoke-tokens": {"POST": _P.ACCOUNT},
    "/sign-out": {"POST": _P.ACCOUNT},
}
"""Path template: method: permission."""

STREAMED = frozenset({"/dicomweb/studies", _DICOM_STUDY})
"""What takes large bodies: the gate leaves them to the route, which reads one only after its sender was let in."""
WITH_OLD_PASSWORD = frozenset({"/password", "/sign-out", "/api/v1/me"})
"""All that is open to somebody who has to change the password first."""
BY_ITSELF = frozenset({"/events", "/fragments/worklist", "/fragments/study", "/api/v1/me", "/api/v1/studies/{uid}/renew"})
"""What an open page asks for by itself: no sign of a person, so it does not lengthen a session."""
