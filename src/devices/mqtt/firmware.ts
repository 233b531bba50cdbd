/** `mgmt.firmware.state` */
export const states = { idle: 0, downloading: 1, downloaded: 2 } as const
export type State = (typeof states)[keyof typeof states]

/** `mgmt.firmware.updateStatus` */
export const updateStatuses = {
  success: 0,
  inProgress: 1,
  outOfMemory: 2,
  connectionLost: 3,
  verificationFailed: 4,
  unsupportedImage: 5,
  invalidUri: 6,
} as const
export type UpdateStatus = (typeof updateStatuses)[keyof typeof updateStatuses]
export type FailedStatus = Exclude<UpdateStatus, 0 | 1>
export type DownloadFailure = Extract<FailedStatus, 2 | 3 | 4 | 6>
type InstallFailure = Extract<FailedStatus, 2 | 5>

/** The attribute `mgmt.firmware`: which image is meant, and how far the device has come with it. */
export interface Firmware {
  readonly version: string
  readonly name: string
  readonly uri: string
  readonly verifier: string
  readonly state: State
  readonly updateStatus: UpdateStatus
  readonly updatedDateTime: string
}

export const noFirmware: Firmware = {
  version: '',
  name: '',
  uri: '',
  verifier: '',
  state: states.idle,
  updateStatus: updateStatuses.success,
  updatedDateTime: '',
}

export const firmwareFields = Object.keys(noFirmware) as readonly (keyof Firmware)[] // of a value of that type alone

/** What happens to a device's firmware: it is asked for something, or its own work has come to an end. */
export type FirmwareEvent =
  | { readonly kind: 'described'; readonly value: Partial<Firmware> }
  | { readonly kind: 'download-asked' }
  | { readonly kind: 'downloaded' }
  | { readonly kind: 'download-failed'; readonly status: DownloadFailure }
  | { readonly kind: 'update-asked' }
  | { readonly kind: 'installed'; readonly at: string }
  | { readonly kind: 'update-failed'; readonly status: InstallFailure }

export interface Step {
  readonly firmware: Firmware
  /** The answer to what was asked. */
  readonly rc?: 202 | 204 | 400 | 409
  readonly message?: string
  /** The work that the device begins now. */
  readonly begins?: 'download' | 'update'
}

/** What a device does about an event: its attributes after it, all set together, and what it answers. */
export function step(firmware: Firmware, event: FirmwareEvent): Step {
  switch (event.kind) {
    case 'described':
      if (isWorking(firmware)) return { firmware, rc: 409, message: 'a firmware action is under way' }
      return { firmware: { ...firmware, ...event.value }, rc: 204 }
    case 'download-asked':
      return askDownload(firmware)
    case 'downloaded':
      return {
        firmware: whileIn(firmware, states.downloading, { state: states.downloaded, updateStatus: 0 }),
      }
    case 'download-failed':
      return {
        firmware: whileIn(firmware, states.downloading, { state: states.idle, updateStatus: event.status }),
      }
    case 'update-asked':
      return askUpdate(firmware)
    case 'installed':
      return { firmware: whileInstalling(firmware, { updateStatus: 0, updatedDateTime: event.at }) }
    case 'update-failed':
      return { firmware: whileInstalling(firmware, { updateStatus: event.status }) }
  }
}

function askDownload(firmware: Firmware): Step {
  if (firmware.state !== states.idle || isWorking(firmware))
    return { firmware, rc: 400, message: 'the device is not idle' }
  if (firmware.uri === '') return { firmware, rc: 400, message: 'mgmt.firmware.uri says nothing' }
  return {
    firmware: { ...firmware, state: states.downloading, updateStatus: updateStatuses.success },
    rc: 202,
    begins: 'download',
  }
}

function askUpdate(firmware: Firmware): Step {
  if (firmware.state !== states.downloaded) return { firmware, rc: 400, message: 'no firmware is downloaded' }
  if (isWorking(firmware)) return { firmware, rc: 400, message: 'it is being installed' }
  return { firmware: { ...firmware, updateStatus: updateStatuses.inProgress }, rc: 202, begins: 'update' }
}

/** Whether a download or an installation is under way, in the words of either kind of device. */
export function isWorking({ state, updateStatus }: Pick<Firmware, 'state' | 'updateStatus'>): boolean {
  return state === states.downloading || updateStatus === updateStatuses.inProgress
}

function whileIn(firmware: Firmware, state: State, change: Partial<Firmware>): Firmware {
  return firmware.state === state ? { ...firmware, ...change } : firmware
}

function whileInstalling(firmware: Firmware, change: Partial<Firmware>): Firmware {
  if (firmware.updateStatus !== updateStatuses.inProgress) return firmware
  return { ...firmware, state: states.idle, ...change }
}

/** What one who observes a device makes of an action that was asked for. */
export type Reading =
  | { readonly kind: 'waiting' | 'working' | 'done' }
  | { readonly kind: 'failed'; readonly status: FailedStatus }

type Seen = Pick<Firmware, 'state' | 'updateStatus'>

export function readDownload({ state, updateStatus }: Seen): Reading {
  const failed = failure(updateStatus)
  if (failed) return failed
  if (state === states.downloaded) return { kind: 'done' }
  return { kind: state === states.downloading ? 'working' : 'waiting' }
}

/** IBM's SDK sets the state to 0 with every status: it installs at (0, 1), others at (2, 1). */
export function readUpdate({ state, updateStatus }: Seen): Reading {
  const failed = failure(updateStatus)
  if (failed) return failed
  if (updateStatus === updateStatuses.inProgress) return { kind: 'working' }
  return { kind: state === states.idle ? 'done' : 'waiting' }
}

function failure(updateStatus: UpdateStatus): Reading | undefined {
  return updateStatus >= updateStatuses.outOfMemory
    ? { kind: 'failed', status: updateStatus as FailedStatus } // all that are greater
    : undefined
}
