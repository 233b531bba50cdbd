/** Names of WS-Management (DSP0226) that both sides use, as Intel AMT does. */

export const PATH = '/wsman'
export const CONTENT_TYPE = 'application/soap+xml; charset=UTF-8'

export const SOAP = 'http://www.w3.org/2003/05/soap-envelope'
export const ADDRESSING = 'http://schemas.xmlsoap.org/ws/2004/08/addressing'
export const ENUMERATION = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration'
export const TRANSFER = 'http://schemas.xmlsoap.org/ws/2004/09/transfer'
export const WSMAN = 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd'
export const COMMON = 'http://schemas.dmtf.org/wbem/wscim/1/common'
export const ANONYMOUS = `${ADDRESSING}/role/anonymous`

const bases: Readonly<Record<string, string>> = {
  CIM: 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/',
  AMT: 'http://intel.com/wbem/wscim/1/amt-schema/1/',
  IPS: 'http://intel.com/wbem/wscim/1/ips-schema/1/',
}

/** The ResourceURI of a class, which its prefix tells. */
export function resourceUri(className: string): string {
  return `${bases[className.split('_')[0] ?? ''] ?? ''}${className}`
}

/** What a class is asked to boot from by HTTPS: the InstanceID of its CIM_BootSourceSetting. */
export const HTTPS_BOOT = 'Intel(r) AMT: Force OCR UEFI HTTPS Boot'
export const BOOT_CONFIGURATION = 'Intel(r) AMT: Boot Configuration 0'

/** CIM_BootService.EnabledState (Intel AMT): whether One-Click Recovery, and with it a boot by HTTPS, is enabled. */
export const bootServiceStates = { none: 32_768, ocr: 32_769, erase: 32_770, both: 32_771 } as const

/** IPS_OptInService.OptInRequired */
export const optInPolicies = { none: 0, kvm: 1, all: 0xffff_ffff } as const

/** IPS_OptInService.OptInState */
export const optInStates = { notStarted: 0, requested: 1, displayed: 2, received: 3, inSession: 4 } as const

/** What StartOptIn, SendOptInCode and CancelOptIn return. */
export const consentReturns = { success: 0, invalidState: 2, blocked: 3, notPermitted: 16 } as const

/** What AddAlarm returns. */
export const alarmReturns = { success: 0, invalidParameter: 5, limitReached: 23, duplicate: 2058 } as const

/** The first word of AMT_BootSettingData.BIOSLastStatus. */
export const biosStatuses = { success: 0, inProgress: 1, notUpdated: 2, failed: 0xffff } as const
