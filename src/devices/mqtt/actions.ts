import { type State, states } from './firmware.ts'
import type { DeviceId } from './topics.ts'

/** What a device may be asked to do, by the names of the platform's REST API. */
export type Action = 'firmware/download' | 'firmware/update' | 'device/reboot' | 'device/factoryReset'

interface ActionFacts {
  /** Below `iotdm-1`. */
  readonly path: string
  /** Of `supports`, as the device said it when it became managed. */
  readonly needs: 'firmwareActions' | 'deviceActions'
  readonly ofOneType?: true
}

export const actions: Readonly<Record<Action, ActionFacts>> = {
  'firmware/download': { path: 'mgmt/initiate/firmware/download', needs: 'firmwareActions' },
  'firmware/update': { path: 'mgmt/initiate/firmware/update', needs: 'firmwareActions', ofOneType: true },
  'device/reboot': { path: 'mgmt/initiate/device/reboot', needs: 'deviceActions' },
  'device/factoryReset': { path: 'mgmt/initiate/device/factory_reset', needs: 'deviceActions' },
}

/** So many devices can be asked at once. */
export const MAX_DEVICES = 5_000

/** Why these devices cannot be asked for an action together. */
export function refusal(action: Action, devices: readonly DeviceId[]): string | undefined {
  if (devices.length === 0) return 'no device is named'
  if (devices.length > MAX_DEVICES) return `more than ${MAX_DEVICES} devices are named`
  const [first] = devices
  if (actions[action].ofOneType && devices.some(({ typeId }) => typeId !== first?.typeId))
    return 'the devices are not all of the same type'
  return undefined
}

/** The field that `device/update` writes before an action: all of it in one, so that nobody sees half. */
export function description(image: {
  readonly uri: string
  readonly name?: string
  readonly version?: string
  readonly verifier?: string
  /** What the action begins with. */
  readonly state?: State
}): { readonly field: string; readonly value: object } {
  const { uri, name = '', version = '', verifier = '', state = states.idle } = image
  const value = { version, name, uri, verifier, state, updateStatus: 0, updatedDateTime: '' }
  return { field: 'mgmt.firmware', value }
}
