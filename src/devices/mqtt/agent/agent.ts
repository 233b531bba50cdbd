import { randomUUID } from 'node:crypto'
import { Background } from '../../../lib/background.ts'
import { type Clock, timestamp } from '../../../lib/clock.ts'
import { type Action } from '../actions.ts'
import { covers } from '../attributes.ts'
import {
  type Firmware,
  type FirmwareEvent,
  isWorking,
  noFirmware,
  states,
  step,
  updateStatuses,
} from '../firmware.ts'
import { fromDevice, rc, read, toDevice } from '../messages.ts'
import type { DeviceId } from '../topics.ts'
import { type AgentState, answer } from './answers.ts'
import type { Downloads } from './download.ts'
import { type AgentTraits, failures } from './traits.ts'

/** How a device reaches its broker. */
export interface AgentLink {
  /** Resolves to whether it could be said. */
  readonly say: (path: string, message: object) => Promise<boolean>
  /** Leaves, as a device that boots does. */
  readonly leave: () => Promise<void>
  /** Comes again; the agent is told when it is there. */
  readonly come: () => void
}

export interface AgentOptions extends DeviceId {
  readonly clock: Clock
  readonly traits: AgentTraits
  readonly link: AgentLink
  readonly downloads: Downloads
  /** Told what happens to the device, for people. */
  readonly told: (what: string) => void
  /** Told of bugs. */
  readonly failed: (error: unknown) => void
}

/** How long before the end of its lifetime a device asks again: as IBM's SDK does. */
const EARLIER_MS = 120_000
/** When nobody has answered that it is managed, it asks again. */
const AGAIN_MS = 10_000

/** A simulated device. */
export class Agent {
  readonly #options: AgentOptions
  readonly #background: Background
  #state: AgentState
  /** What was last notified; nothing where something may have gone astray. */
  #notified: Firmware | undefined = noFirmware
  #isManaged = false
  #isBooting = false
  #manageId: string | undefined
  #cancelTimer = (): void => {}
  #work: AbortController | undefined

  constructor(options: AgentOptions) {
    this.#options = options
    this.#state = { runs: options.traits.firmwareVersion, firmware: noFirmware, observed: [] }
    this.#background = new Background(options.failed)
  }

  get isManaged(): boolean {
    return this.#isManaged
  }

  get runs(): string {
    return this.#state.runs
  }

  /** The broker is there. */
  up(): void {
    if (!this.#isBooting) this.#manage()
  }

  /** The broker is gone. */
  down(): void {
    this.#isManaged = false
    this.#cancelTimer()
  }

  /** Takes a message that is for it. */
  hear(path: string, payload: Uint8Array): void {
    if (this.#isBooting) return
    if (path === toDevice.response) return this.#answered(payload)
    const said = read.any(payload)
    const { quirks } = this.#options.traits
    const { state, response, deed } = said.ok
      ? answer(this.#state, { path, payload, quirks })
      : { state: this.#state, response: { rc: rc.badRequest, message: said.problem } }
    this.#state = state
    // Whoever asks for that is told by the answer.
    if (path === toDevice.observe || path === toDevice.update) this.#notified = state.firmware
    const reqId = said.ok ? said.value.reqId : undefined
    if (response && reqId !== undefined) this.#say(fromDevice.response, { ...response, reqId })
    if (deed !== undefined) this.#do(deed)
  }

  async close(): Promise<void> {
    this.#cancelTimer()
    await this.#background.close()
  }

  #do(deed: Action): void {
    this.#work?.abort(new Error(`${deed} comes first`))
    if (deed === 'firmware/download' || deed === 'firmware/update') this.#become(this.#state.firmware)
    this.#work = this.#background.start((signal) => this.#doing(deed, signal))
  }

  #doing(deed: Action, signal: AbortSignal): Promise<void> {
    switch (deed) {
      case 'firmware/download':
        return this.#download(signal)
      case 'firmware/update':
        return this.#install(signal)
      case 'device/reboot':
        return this.#boot((state) => state, signal)
      case 'device/factoryReset':
        return this.#boot(
          (state) => ({ ...state, runs: this.#options.traits.firmwareVersion, firmware: noFirmware }),
          signal,
        )
    }
  }

  async #download(signal: AbortSignal): Promise<void> {
    const { traits, downloads } = this.#options
    const { uri, verifier } = this.#state.firmware
    const found = await downloads.fetch({ ...traits, uri, verifier }, signal)
    const failure = traits.failure && failures[traits.failure]
    const status = failure?.during === 'download' ? failure.status : found
    this.#step(status === undefined ? { kind: 'downloaded' } : { kind: 'download-failed', status })
  }

  async #install(signal: AbortSignal): Promise<void> {
    const { traits, clock } = this.#options
    await clock.sleep(traits.installMs, signal)
    const failure = traits.failure && failures[traits.failure]
    if (failure?.during === 'update') return this.#step({ kind: 'update-failed', status: failure.status })
    await this.#boot((state) => {
      const { firmware } = step(state.firmware, { kind: 'installed', at: timestamp(clock.now()) })
      return { ...state, firmware, runs: firmware.version === '' ? state.runs : firmware.version }
    }, signal)
  }

  async #boot(meanwhile: (state: AgentState) => AgentState, signal: AbortSignal): Promise<void> {
    const { link, clock, traits, told } = this.#options
    this.#isBooting = true
    this.down()
    told('reboots')
    await link.leave()
    await clock.sleep(traits.bootMs, signal)
    // What came and was not whole is gone.
    const lost = { kind: 'download-failed', status: updateStatuses.connectionLost } as const
    this.#state = meanwhile({ ...this.#state, firmware: step(this.#state.firmware, lost).firmware })
    this.#isBooting = false
    told(`runs ${this.#state.runs}`)
    link.come()
  }

  #step(event: FirmwareEvent): void {
    this.#become(step(this.#state.firmware, event).firmware)
  }

  /** All that has changed is set together, and told in one notification. */
  #become(firmware: Firmware): void {
    const { quirks } = this.#options.traits
    const isIdle = firmware.updateStatus !== updateStatuses.success && quirks.has('forces-idle')
    this.#state = { ...this.#state, firmware: isIdle ? { ...firmware, state: states.idle } : firmware }
    this.#options.told(wordsOf(firmware))
    this.#notify()
  }

  #notify(): void {
    const { quirks } = this.#options.traits
    const { firmware, observed } = this.#state
    const { state, updateStatus } = firmware
    const isObserved = observed.some((name) => covers(name, 'mgmt.firmware')) || quirks.has('tells-unasked')
    const isTold = this.#notified?.state === state && this.#notified.updateStatus === updateStatus
    if (!this.#isManaged || !isObserved || isTold) return
    this.#notified = firmware
    const fields = [{ field: 'mgmt.firmware', value: { state, updateStatus } }]
    this.#say(fromDevice.notify, {
      d: { fields },
      ...(!quirks.has('omits-request-ids') && { reqId: randomUUID() }),
    })
  }

  #manage(): void {
    const { traits, typeId, deviceId, clock } = this.#options
    this.#manageId = randomUUID()
    this.#say(fromDevice.manage, {
      reqId: this.#manageId,
      d: {
        lifetime: traits.lifetimeSeconds,
        supports: { deviceActions: true, firmwareActions: true },
        deviceInfo: {
          manufacturer: 'redflash',
          model: typeId,
          serialNumber: deviceId,
          description: `Firmware of ${deviceId}`,
          fwVersion: this.#state.runs,
        },
      },
    })
    this.#cancelTimer()
    this.#cancelTimer = clock.schedule(AGAIN_MS, () => this.#manage())
  }

  #answered(payload: Uint8Array): void {
    const said = read.response(payload)
    // Who manages has lost its memory.
    if (said.ok && said.value.rc === rc.notFound && this.#isManaged) return this.#lost()
    if (!said.ok || said.value.reqId !== this.#manageId || said.value.rc !== rc.ok) return
    const { traits, clock, told } = this.#options
    if (!this.#isManaged) told(`is managed, runs ${this.#state.runs}`)
    this.#isManaged = true
    this.#cancelTimer()
    const lifetimeMs = traits.lifetimeSeconds * 1_000
    if (lifetimeMs > 0) {
      const earlierMs = Math.min(EARLIER_MS, lifetimeMs / 2)
      this.#cancelTimer = clock.schedule(lifetimeMs - earlierMs, () => this.#manage())
    }
    this.#notify()
  }

  #lost(): void {
    this.#isManaged = false
    this.#notified = undefined
    this.#manage()
  }

  #say(path: string, message: object): void {
    this.#background.start(async () => {
      const isSaid = await this.#options.link.say(path, message)
      if (!isSaid) this.#notified = undefined
    })
  }
}

function wordsOf(firmware: Firmware): string {
  const { state, updateStatus, version } = firmware
  const words = Object.entries(updateStatuses).find(([, status]) => status === updateStatus)?.[0] ?? ''
  if (updateStatus >= updateStatuses.outOfMemory) return `has failed: ${words}`
  if (updateStatus === updateStatuses.inProgress) return `installs ${version}`
  if (!isWorking(firmware)) return state === states.downloaded ? `has downloaded ${version}` : 'is idle'
  return `downloads ${version}`
}
