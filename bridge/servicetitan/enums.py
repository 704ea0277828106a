"""The closed sets of words in ServiceTitan's contract: requests keep to them, answers are text, known or not."""

from typing import Any, Literal

BookingAgentTagType = Literal["V1Api", "V2Api"]
CustomerType = Literal["Residential", "Commercial"]
BookingStatus = Literal["New", "Converted", "Dismissed", "Accepted"]
Priority = Literal["Low", "Normal", "High", "Urgent"]
ContactType = Literal["Phone", "Email", "Fax", "MobilePhone"]
ExternalDataPatchMode = Literal["Replace", "Merge"]
GeolocationCoordinatesSource = Literal["None", "System", "User", "Imported"]
GeolocationVerificationStatus = Literal["Unverified", "InProgress", "Failed", "Verified"]
LeadStatus = Literal["Open", "Dismissed", "Converted"]
CampaignCategoryType = Literal["Regular", "GoogleHomeServices"]
EmployeeUserRole = Literal[
    "Unspecified",
    "Technician",
    "Dispatch",
    "Accounting",
    "FieldManager",
    "DisplayUser",
    "DisplayUserWithBillingAccess",
    "SalesManager",
    "CSR",
    "GeneralOffice",
    "TechnicianHelper",
    "TechnicianMaintenance",
    "TechnicianInstaller",
    "Admin",
    "TechnicianService",
    "TechnicianSales",
    "Owner",
    "EmptyEmployee",
    "EmptyTechnician",
]
LicenseType = Literal["NonManagedTech", "ManagedTech", "ManagedInstaller"]
JobFilter = Literal[
    "AllScheduledDispatchedWorking",
    "NextScheduledDispatchedWorking",
    "DispatchedWorking",
    "NextScheduledDispatchedWorkingToday",
    "AllScheduledDispatchedWorkingToday",
    "AllScheduledDispatchedWorkingFiveDays",
    "NextScheduledDispatchedWorkingTodayTomorrow",
    "AllScheduledDispatchedWorkingTodayTomorrow",
    "Next2ScheduledDispatchedWorkingToday",
]
TechnicianStatus = Literal["Idle", "Dispatched", "Working", "Meal"]
TechnicianPosition = Literal[
    "Installer",
    "Service",
    "Sales",
    "Maintenance",
    "Helper",
    "InstallProductionManager",
    "ServiceManager",
    "SalesManager",
    "PartRunner",
    "DummyTech",
]
TagImportance = Literal["Medium", "High"]
CustomFieldDataType = Literal["Text", "Dropdown", "Numeric"]
LeadType_Int32 = Literal[1, 2, 3, 4]
EntityType = Literal["Call", "Booking", "Lead"]
CallDirection = Literal["Inbound", "Outbound"]
CallStatus = Literal["Ringing", "Answered", "Completed", "Initiated"]
CallType = Literal["Abandoned", "Unbooked", "Excused", "Booked", "NotLead"]

ENUMS: dict[str, Any] = {
    "BookingAgentTagType": BookingAgentTagType,
    "CustomerType": CustomerType,
    "BookingStatus": BookingStatus,
    "Priority": Priority,
    "ContactType": ContactType,
    "ExternalDataPatchMode": ExternalDataPatchMode,
    "GeolocationCoordinatesSource": GeolocationCoordinatesSource,
    "GeolocationVerificationStatus": GeolocationVerificationStatus,
    "LeadStatus": LeadStatus,
    "CampaignCategoryType": CampaignCategoryType,
    "EmployeeUserRole": EmployeeUserRole,
    "LicenseType": LicenseType,
    "JobFilter": JobFilter,
    "TechnicianStatus": TechnicianStatus,
    "TechnicianPosition": TechnicianPosition,
    "TagImportance": TagImportance,
    "CustomFieldDataType": CustomFieldDataType,
    "LeadType_Int32": LeadType_Int32,
    "EntityType": EntityType,
    "CallDirection": CallDirection,
    "CallStatus": CallStatus,
    "CallType": CallType,
}
"""Every set by the name ServiceTitan gives it."""
