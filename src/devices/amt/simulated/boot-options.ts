import { type BootParameter, decodeParameters, parameterTypes } from '../boot-parameters.ts'
import { bootServiceStates, HTTPS_BOOT } from '../wsman.ts'

/** What ChangeBootOrder and SetBootConfigRole return (CIM_BootConfigSetting, CIM_BootService). */
export const bootReturns = {
  success: 0,
  notSupported: 1,
  invalidReference: 4,
  invalidParameter: 5,
  accessDenied: 6,
} as const

/** What a machine can be told to boot from, once. */
const ordinarySources: ReadonlyMap<string, string> = new Map([
  ['Intel(r) AMT: Force Hard-drive Boot', 'CIM:Hard-Disk:1'],
  ['Intel(r) AMT: Force PXE Boot', 'CIM:Network:1'],
  ['Intel(r) AMT: Force CD/DVD Boot', 'CIM:CD/DVD:1'],
])

/** Whether a machine boots by HTTPS when it is told to: its BIOS cannot, it is not enabled, or it does. */
export type HttpsBoot = 'absent' | 'disabled' | 'enabled'

/** A boot from a server, as it was asked for. */
export interface NetworkBoot {
  readonly url: string
  /** What its bytes have to be, in hexadecimal. */
  readonly sha256: string | undefined
}

/** The settings of AMT_BootSettingData that a client writes, as a machine has them at first. */
const ordinarySettings = {
  BIOSPause: false,
  BIOSSetup: false,
  BootMediaIndex: 0,
  ConfigurationDataReset: false,
  EnforceSecureBoot: true,
  FirmwareVerbosity: 0,
  ForcedProgressEvents: false,
  IDERBootDevice: 0,
  LockKeyboard: false,
  LockPowerButton: false,
  LockResetButton: false,
  LockSleepButton: false,
  PlatformErase: false,
  ReflashBIOS: false,
  SecureErase: false,
  UefiBootNumberOfParams: 0,
  UefiBootParametersArray: '',
  UseIDER: false,
  UseSOL: false,
  UseSafeMode: false,
  UserPasswordBypass: false,
}
type BootSettings = Readonly<Record<string, string | number | boolean>>

/** What the next boot, and no other, is to be like. */
export class BootOptions {
  readonly #canBootByHttps: boolean
  #serviceState: number
  #settings: BootSettings = ordinarySettings
  #source: string | undefined
  #isNext = false

  constructor(httpsBoot: HttpsBoot) {
    this.#canBootByHttps = httpsBoot !== 'absent'
    this.#serviceState = httpsBoot === 'enabled' ? bootServiceStates.ocr : bootServiceStates.none
  }

  get settings(): BootSettings {
    return this.#settings
  }

  get isCleared(): boolean {
    return this.#source === undefined
  }

  get canBootByHttps(): boolean {
    return this.#canBootByHttps
  }

  get serviceState(): number {
    return this.#serviceState
  }

  /** By their InstanceIDs, how each is written. */
  get sources(): ReadonlyMap<string, string> {
    return this.#canBootByHttps
      ? new Map([...ordinarySources, [HTTPS_BOOT, 'CIM:Network:2']])
      : ordinarySources
  }

  /** CIM_BootService.RequestStateChange */
  enable(state: number): number {
    const isKnown = Object.values(bootServiceStates).some((known) => known === state)
    if (!isKnown) return bootReturns.invalidParameter
    const wantsHttps = state === bootServiceStates.ocr || state === bootServiceStates.both
    if (wantsHttps && !this.#canBootByHttps) return bootReturns.notSupported
    this.#serviceState = state
    return bootReturns.success
  }

  get isHttpsEnabled(): boolean {
    return this.#serviceState === bootServiceStates.ocr || this.#serviceState === bootServiceStates.both
  }

  /** Takes settings that were written, which are text; `false` where one is not what it should be. */
  write(written: Readonly<Record<string, string>>): boolean {
    const next: Record<string, string | number | boolean> = { ...this.#settings }
    // Not said: no parameters.
    Object.assign(next, { UefiBootNumberOfParams: 0, UefiBootParametersArray: '' })
    for (const [name, before] of Object.entries(ordinarySettings)) {
      const text = written[name]
      if (text === undefined) continue
      const value = readAs(typeof before, text)
      if (value === undefined) return false
      next[name] = value
    }
    const parameters = decodeParameters(String(next['UefiBootParametersArray']))
    if (parameters?.length !== next['UefiBootNumberOfParams']) return false
    this.#settings = next
    return true
  }

  setRole(role: number): number {
    this.#isNext = role === 1
    return bootReturns.success
  }

  /** CIM_BootConfigSetting.ChangeBootOrder; without a source, nothing is asked for any more. */
  change(source: string | undefined): number {
    if (source !== undefined && !this.sources.has(source)) return bootReturns.invalidReference
    if (source === HTTPS_BOOT) {
      if (!this.isHttpsEnabled) return bootReturns.notSupported
      if (this.#network() === undefined) return bootReturns.invalidParameter
    }
    this.#source = source
    return bootReturns.success
  }

  /** What this boot is to be from, if from a server; no other boot will be. */
  take(): NetworkBoot | undefined {
    const network = this.#isNext && this.#source === HTTPS_BOOT ? this.#network() : undefined
    this.clear()
    return network
  }

  clear(): void {
    this.#settings = ordinarySettings
    this.#source = undefined
    this.#isNext = false
  }

  #network(): NetworkBoot | undefined {
    const parameters = decodeParameters(String(this.#settings['UefiBootParametersArray'])) ?? []
    const url = valueOf(parameters, parameterTypes.networkDevicePath)?.toString('utf8')
    if (url === undefined || !URL.canParse(url)) return undefined
    return { url, sha256: valueOf(parameters, parameterTypes.imageSha256)?.toString('hex') }
  }
}

function valueOf(parameters: readonly BootParameter[], type: number): Buffer | undefined {
  const found = parameters.find((parameter) => parameter.type === type)
  return found && Buffer.from(found.value)
}

function readAs(type: string, text: string): string | number | boolean | undefined {
  if (type === 'string') return text
  if (type === 'boolean') return text === 'true' || (text === 'false' ? false : undefined)
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
