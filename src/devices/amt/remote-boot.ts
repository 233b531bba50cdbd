import { encodeParameters, MAX_URL_BYTES, parameterTypes } from './boot-parameters.ts'
import { first, type Management, type Properties } from './management.ts'
import { DeviceError } from '../device-error.ts'
import { biosStatuses, BOOT_CONFIGURATION, HTTPS_BOOT, optInPolicies, optInStates } from './wsman.ts'

/** Why a device is not to be booted from a server. */
export type Obstacle = 'consent' | 'not-enabled'

/** What keeps a device from it now; `undefined` where nothing does. */
export async function obstacleOf(management: Management): Promise<Obstacle | undefined> {
  const settings = await bootSettings(management)
  if (first(settings, 'UEFIHTTPSBootEnabled') !== 'true') return 'not-enabled'
  const optIn = await management.instance(management.ips.OptInService.Get())
  const isRequired = Number(first(optIn, 'OptInRequired')) === optInPolicies.all
  const isGiven = Number(first(optIn, 'OptInState')) >= optInStates.received
  return isRequired && !isGiven ? 'consent' : undefined
}

/** What the next boot is to be from. */
export interface BootImage {
  readonly uri: string
  /** In hexadecimal: the device compares it with what it gets. */
  readonly sha256: string
}

/** Has the next boot, and no other, fetch this; the machine is not started by that. */
export async function bootFrom(management: Management, { uri, sha256 }: BootImage): Promise<void> {
  const { amt, cim } = management
  const url = Buffer.from(uri)
  if (url.byteLength > MAX_URL_BYTES)
    throw new DeviceError({ kind: 'unsupported', detail: `no URI of more than ${MAX_URL_BYTES} bytes` })
  const parameters = [
    { type: parameterTypes.networkDevicePath, value: url },
    { type: parameterTypes.imageSha256, value: Buffer.from(sha256, 'hex') },
    { type: parameterTypes.syncRootCa, value: Buffer.of(1) },
  ]
  const before = await bootSettings(management)
  // Settings are not taken while there is a source.
  await management.invoke('ChangeBootOrder', cim.BootConfigSetting.ChangeBootOrder())
  const settings = {
    ...ordinarySettings,
    ElementName: first(before, 'ElementName') ?? '',
    InstanceID: first(before, 'InstanceID') ?? '',
    OwningEntity: first(before, 'OwningEntity') ?? '',
    EnforceSecureBoot: first(before, 'EnforceSecureBoot') !== 'false',
    UefiBootNumberOfParams: parameters.length,
    UefiBootParametersArray: encodeParameters(parameters),
  }
  await management.instance(amt.BootSettingData.Put(settings))
  // 1: for the next boot only.
  await management.invoke('SetBootConfigRole', cim.BootService.SetBootConfigRole(BOOT_CONFIGURATION, 1))
  await management.invoke('ChangeBootOrder', cim.BootConfigSetting.ChangeBootOrder(HTTPS_BOOT))
}

/** Takes back what the next boot was to be from. */
export async function bootAsEver(management: Management): Promise<void> {
  await management.invoke('ChangeBootOrder', management.cim.BootConfigSetting.ChangeBootOrder())
}

/** How the boot from a server went, as far as it is known. */
export type BootState = 'awaited' | 'under-way' | 'failed' | 'over'

export async function bootState(management: Management): Promise<BootState> {
  const settings = await bootSettings(management)
  // The BIOS clears what it has begun with.
  if (first(settings, 'OptionsCleared') !== 'true') return 'awaited'
  const status = Number(first(settings, 'BIOSLastStatus'))
  if (status === biosStatuses.inProgress) return 'under-way'
  return status === biosStatuses.failed ? 'failed' : 'over'
}

function bootSettings(management: Management): Promise<Properties> {
  return management.instance(management.amt.BootSettingData.Get())
}

const ordinarySettings = {
  BIOSPause: false,
  BIOSSetup: false,
  BootMediaIndex: 0,
  ConfigurationDataReset: false,
  FirmwareVerbosity: 0 as const,
  ForcedProgressEvents: true,
  IDERBootDevice: 0 as const,
  LockKeyboard: false,
  LockPowerButton: false,
  LockResetButton: false,
  LockSleepButton: false,
  ReflashBIOS: false,
  SecureErase: false,
  UseIDER: false,
  UseSOL: false,
  UseSafeMode: false,
  UserPasswordBypass: false,
}
