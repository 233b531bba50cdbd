/** What the devices of a job are asked for, in the words of IBM's device management. */
export interface DeviceRequest {
  readonly action: string
  readonly parameters: readonly RequestParameter[]
}

export interface RequestParameter {
  readonly name: string
  readonly value: string
}

/** Whom a step of such a job asks. */
export interface AskedDevice {
  readonly typeId: string
  readonly deviceId: string
}
