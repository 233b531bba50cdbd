/** How a console reaches a device, and as whom. */
export interface DeviceAddress {
  /** As a client gives it in an AggregationSource: a URL, or a host name or address with a port or without. */
  readonly hostName: string
  readonly userName: string
  readonly password: string
}

/** What an adapter found out about a device. */
export interface DeviceFacts {
  readonly name: string
  readonly manufacturer?: string | undefined
  readonly model?: string | undefined
  readonly serialNumber?: string | undefined
  readonly uuid?: string | undefined
  /** Of the Redfish service that tells of it. */
  readonly serviceUuid?: string | undefined
  /** Of its system; absent where it does not say. */
  readonly power?: 'On' | 'Off' | undefined
  /** The ResetTypes (Resource.ResetType) that its system, and its manager, can be asked for. */
  readonly resetTypes: readonly string[]
  readonly managerResetTypes: readonly string[]
  /** What it can be asked for beside what every device can; nothing unless given. */
  readonly abilities?: readonly Ability[]
  /** Of one that can wake: when it switches itself on next, in milliseconds since the epoch. */
  readonly wakeTimes?: readonly number[]
  readonly firmware: readonly FirmwareFacts[]
}

/** What only some kinds of devices can: let their user consent, switch themselves on later, tell what they have recorded. */
export type Ability = 'consent' | 'wake' | 'log'

/** Something that a device has recorded itself. */
export interface DeviceRecord {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly severity: 'OK' | 'Warning' | 'Critical'
  /** For people. */
  readonly text: string
  /** Who asked for it, as far as the device knows. */
  readonly user?: string | undefined
  /** From where: scheme and address, as of an Actor. */
  readonly address?: string | undefined
}

/** A piece of firmware that runs on a device. */
export interface FirmwareFacts {
  /** One of the device's: of letters, digits, `-`, `_` and `.`. */
  readonly id: string
  readonly name: string
  readonly version: string
  /** What images name it by. */
  readonly softwareId?: string | undefined
  readonly updateable: boolean
  /** What of the device it belongs to. */
  readonly of: 'system' | 'manager' | 'chassis'
  /** Versions of images that stand by beside the one that runs: to activate one of them takes no image. */
  readonly standsBy?: readonly string[] | undefined
  /** What the device itself calls it, where that is not its Id. */
  readonly nativeId?: string | undefined
}

/** Whether a device can be asked for something that others cannot. */
export function isAble(device: ManagedDevice | undefined, ability: Ability): device is ManagedDevice {
  return device?.facts.abilities?.includes(ability) === true
}

/** A device that a console manages: an AggregationSource, and what is behind it as it was seen last. */
export interface ManagedDevice {
  readonly id: string
  /** What whoever attached it calls it, where that is not what it calls itself. */
  readonly name?: string | undefined
  /** The Id of the ConnectionMethod by which it is reached. */
  readonly method: string
  readonly address: DeviceAddress
  readonly facts: DeviceFacts
  readonly isReachable: boolean
  readonly attachedAt: number
  /** When it was seen last, in milliseconds since the epoch. */
  readonly seenAt: number
}

/** Resources that are reset, or updated, together. */
export interface Aggregate {
  readonly id: string
  /** As whoever made it called it. */
  readonly name?: string | undefined
  /** Their URIs. */
  readonly elements: readonly string[]
}
