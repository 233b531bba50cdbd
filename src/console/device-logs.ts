import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { MAX_LOG_RECORDS } from '../bmc/log.ts'
import { isAble } from '../bmc/managed-device.ts'
import { ofEach } from '../lib/of-each.ts'
import type { Devices } from './devices.ts'

/** The logs of so many devices are held; what was read first gives way. */
const MAX_LOGS = 50

/** What devices have recorded themselves, read when somebody asks for it. */
export class DeviceLogs {
  readonly #devices: Devices
  readonly #reading = ofEach<Bmc, Map<string, Promise<void>>>(() => new Map())

  constructor(devices: Devices) {
    this.#devices = devices
  }

  /** Reads it, once for all who ask meanwhile; `undefined`: that device has none. What cannot be read stays as it was. */
  read(bmc: Bmc, id: string): Promise<void> | undefined {
    if (!isAble(bmc.state.devices.get(id), 'log')) return undefined
    const reading = this.#reading(bmc)
    const going = reading.get(id) ?? this.#read(bmc, id).finally(() => reading.delete(id))
    reading.set(id, going)
    return going
  }

  async #read(bmc: Bmc, id: string): Promise<void> {
    const read = await this.#devices.ask(bmc, id, (can, address, signal) => can.readLog(address, signal))
    if (!read.ok || !bmc.state.devices.has(id)) return
    const { deviceLogs } = bmc.state
    const records = read.value.slice(-MAX_LOG_RECORDS)
    // What nobody sees is no commit.
    if (JSON.stringify(records) === JSON.stringify(deviceLogs.get(id))) return
    const isOneMore = !deviceLogs.has(id)
    const excess = isOneMore ? Math.max(0, deviceLogs.size + 1 - MAX_LOGS) : 0
    const gone = [...deviceLogs.keys()].slice(0, excess).map((key) => [key, undefined] as const)
    commit(bmc, { deviceLogs: [...gone, [id, records]] })
  }
}
