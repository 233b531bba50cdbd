import { commit } from '../../src/bmc/commit.ts'
import type { ManagedDevice as Attached } from '../../src/bmc/managed-device.ts'
import type { Method } from '../../src/console/method.ts'
import type { Action } from '../../src/devices/mqtt/actions.ts'
import {
  type Firmware,
  type FirmwareEvent,
  isWorking,
  noFirmware,
  states,
  step,
} from '../../src/devices/mqtt/firmware.ts'
import { type ManagedDevice, unknownDevice, withFields } from '../../src/devices/mqtt/managed-device.ts'
import type { DeviceListener } from '../../src/devices/mqtt/known-devices.ts'
import type { ManagedDevices, MqttManager } from '../../src/devices/mqtt/manager.ts'
import { keyOf } from '../../src/devices/mqtt/topics.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { fail, succeed } from '../../src/lib/result.ts'
import { labDevice, labMethod } from './managed-devices.ts'
import type { TestEmulator } from './emulator.ts'

/** How long a device takes for what it is asked for. */
export const WORK_MS = 10_000

/** A device that does what IBM's documents say, in no time but that of its work. */
export interface LabAgent {
  firmware: Firmware
  /** Whether it tells what it does. */
  isSilent: boolean
  /** So often it does not answer when it is to tell. */
  misses?: number
  /** With what each action ends, where it is not well. */
  downloadFails?: 2 | 3 | 4 | 6
  updateFails?: 2 | 5
  /** What it was asked for, in order. */
  readonly asked: string[]
  readonly written: Partial<Firmware>[]
}

/** Devices that outlive the console that manages them; each life of that has a clock of its own. */
export class MqttLab {
  readonly #agents = new Map<string, LabAgent>()
  readonly #devices = new Map<string, ManagedDevice>()
  readonly #listeners = new Map<string | undefined, Set<DeviceListener>>()

  agent(key: string): LabAgent {
    const agent = this.#agents.get(key)
    if (agent === undefined) throw new Error(`there is no ${key}`)
    return agent
  }

  add(typeId: string, deviceId: string, more: Partial<ManagedDevice> = {}): string {
    const key = keyOf({ typeId, deviceId })
    this.#agents.set(key, { firmware: noFirmware, isSilent: false, asked: [], written: [] })
    this.#devices.set(key, {
      ...unknownDevice({ typeId, deviceId }),
      info: { fwVersion: '1.0.0' },
      supports: { firmwareActions: true, deviceActions: true },
      ...more,
    })
    return key
  }

  /** The console knows nothing of what devices do any more. */
  forgotten(): void {
    for (const [key, device] of this.#devices) this.#devices.set(key, { ...device, firmware: noFirmware })
    this.#listeners.clear()
  }

  /** The same devices, in the middle of what they do, for a console that knows nothing of that. */
  left(): MqttLab {
    const lab = new MqttLab()
    for (const [key, agent] of this.#agents)
      lab.#agents.set(key, { ...agent, asked: [...agent.asked], written: [...agent.written] })
    for (const [key, device] of this.#devices) lab.#devices.set(key, { ...device, firmware: noFirmware })
    return lab
  }

  /** From now on this clock is that of their work. */
  goOn(clock: Clock): void {
    for (const [key, { firmware }] of this.#agents)
      if (isWorking(firmware)) this.#endLater(clock, key, firmware.state === states.downloading)
  }

  /** What is known of a device changes. */
  become(key: string, more: Partial<ManagedDevice>, kind: 'managed' | 'changed' | 'awake' = 'changed'): void {
    const device = this.#devices.get(key)
    if (device === undefined) return
    const is = { ...device, ...more }
    this.#devices.set(key, is)
    for (const listener of this.#listeners.get(key) ?? []) listener({ kind, device: is })
  }

  managedBy(clock: Clock): ManagedDevices & Pick<MqttManager, 'find' | 'know' | 'close'> {
    return {
      find: async () => {},
      close: async () => {},
      know: (key, fields) => {
        const known = this.#devices.get(key)
        const told = known && withFields(known, fields)
        if (told?.ok) this.become(key, told.value)
      },
      closed: new AbortController().signal,
      device: (key) => this.#devices.get(key),
      devices: () => [...this.#devices.values()],
      forget: (key) => void this.#devices.delete(key),
      watch: (listener, key) => {
        const all = this.#listeners.get(key) ?? new Set()
        this.#listeners.set(key, all.add(listener))
        return () => void all.delete(listener)
      },
      write: async (key, fields, signal) => {
        signal.throwIfAborted()
        const agent = this.agent(key)
        const value = fields[0]?.value as Partial<Firmware> // what the console writes
        agent.written.push(value)
        const { rc = 204 } = this.#happens(key, { kind: 'described', value })
        return rc < 300 ? succeed(undefined) : fail({ kind: 'busy', detail: String(rc), rc })
      },
      observe: async (key, _names, signal) => {
        signal.throwIfAborted()
        const { misses = 0 } = this.agent(key)
        this.agent(key).misses = misses - 1
        if (misses > 0) return fail({ kind: 'unreachable', detail: `${key} does not answer` })
        if (!this.agent(key).isSilent) this.become(key, { firmware: { ...this.agent(key).firmware } })
        return succeed(undefined)
      },
      cancel: () => {},
      initiate: async (action, [key = ''], signal) => {
        signal.throwIfAborted()
        this.agent(key).asked.push(action)
        const rc = this.#begin(clock, action, key)
        return [rc === 202 ? succeed(undefined) : fail({ kind: 'failed', detail: `answers ${rc}`, rc })]
      },
    }
  }

  #begin(clock: Clock, action: Action, key: string): number {
    const later = (what: () => void): void => void clock.schedule(WORK_MS, what)
    if (action === 'device/reboot' || action === 'device/factoryReset') {
      later(() => this.become(key, {}, 'managed'))
      return 202
    }
    const isDownload = action === 'firmware/download'
    const { rc = 500 } = this.#happens(key, { kind: isDownload ? 'download-asked' : 'update-asked' })
    if (rc !== 202) return rc
    this.#endLater(clock, key, isDownload)
    return rc
  }

  #endLater(clock: Clock, key: string, isDownload: boolean): void {
    clock.schedule(WORK_MS, () => {
      const { downloadFails, updateFails } = this.agent(key)
      if (isDownload)
        this.#happens(
          key,
          downloadFails ? { kind: 'download-failed', status: downloadFails } : { kind: 'downloaded' },
        )
      else
        this.#happens(
          key,
          updateFails ? { kind: 'update-failed', status: updateFails } : { kind: 'installed', at: '' },
        )
    })
  }

  #happens(key: string, event: FirmwareEvent): ReturnType<typeof step> {
    const agent = this.agent(key)
    const next = step(agent.firmware, event)
    agent.firmware = next.firmware
    const { info } = this.#devices.get(key) ?? {}
    const runs = event.kind === 'installed' && next.firmware.version
    if (!agent.isSilent)
      this.become(key, { firmware: next.firmware, ...(runs && { info: { ...info, fwVersion: runs } }) })
    return next
  }

  /** The devices, as the console has attached them. */
  attached(): Attached[] {
    return [...this.#devices.values()].map(({ key, typeId, deviceId }, index) => {
      const firmware = { id: 'firmware', name: 'Firmware', version: '1.0.0', softwareId: typeId }
      const { facts } = labDevice(deviceId, {
        model: typeId,
        firmware: [{ ...firmware, updateable: true, of: 'system' }],
      })
      return {
        id: String(index + 1),
        method: 'MQTT',
        address: { hostName: key, userName: '', password: '' },
        facts,
        isReachable: true,
        seenAt: 0,
        attachedAt: 0,
      }
    })
  }

  /** Attaches them to a console, all at once. */
  attachTo({ bmc }: Pick<TestEmulator, 'bmc'>): void {
    commit(bmc, { devices: this.attached().map((device) => [device.id, device] as const) })
  }
}

/** The ConnectionMethod of such a lab; nobody looks at its devices by it. */
export const mqttMethod: Method = { ...labMethod({}), id: 'MQTT' }
