import { Background } from '../../lib/background.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Action, actions, refusal } from './actions.ts'
import type { Bag, Field } from './attributes.ts'
import { type BrokerAddress, Connection } from './connection.ts'
import { type DeviceListener, KnownDevices } from './known-devices.ts'
import { hear, type ManagedDevice, withFields, withTold } from './managed-device.ts'
import { fromDevice, judgeFields, type ResponseMessage, toDevice } from './messages.ts'
import { ANSWER_MS, type MqttProblem, Questions } from './questions.ts'
import { ALL_DEVICES, type DeviceId, keyOf, parseKey, parseTopic, topicText } from './topics.ts'

export interface MqttManagerOptions extends BrokerAddress {
  readonly clock: Clock
  /** Told of bugs. */
  readonly failed: (error: unknown) => void
  /** How long a device may take for an answer. */
  readonly answerMs?: number
  /** So many devices are managed at most. */
  readonly maxDevices?: number
}

/** Devices that are managed, as those who have them do something see them. */
export type ManagedDevices = Pick<
  MqttManager,
  'device' | 'devices' | 'forget' | 'watch' | 'write' | 'observe' | 'cancel' | 'initiate' | 'closed'
>

const MAX_DEVICES = 100_000
/** What every device can be asked about. */
const FIRMWARE = 'mgmt.firmware'

export function createMqttManager(options: MqttManagerOptions): MqttManager {
  return new MqttManager(options)
}

/** The side that manages devices: IBM's platform, as far as device management goes. */
export class MqttManager {
  readonly #options: MqttManagerOptions
  readonly #connection: Connection
  readonly #known: KnownDevices
  readonly #questions: Questions
  readonly #background: Background
  readonly #closing = new AbortController()

  constructor(options: MqttManagerOptions) {
    this.#options = options
    this.#known = new KnownDevices(options.clock)
    this.#background = new Background(options.failed)
    this.#questions = new Questions({
      clock: options.clock,
      answerMs: options.answerMs ?? ANSWER_MS,
      say: (device, path, message) => this.#say(device, path, message),
    })
    this.#connection = new Connection({
      ...options,
      filters: [ALL_DEVICES],
      take: (topic, payload) => this.#take(topic, payload),
      up: () => {
        this.#observeAgain(this.devices())
        this.#search()
      },
      down: () => {},
    })
    this.#connection.open()
  }

  /** Aborted when nobody is managed any more. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** Whether the broker is there. */
  get isUp(): boolean {
    return this.#connection.isUp
  }

  device(key: string): ManagedDevice | undefined {
    return this.#known.get(key)
  }

  devices(): readonly ManagedDevice[] {
    return this.#known.all()
  }

  /** Tells of what happens to one device, or to any; the returned function ends it. */
  watch(listener: DeviceListener, key?: string): () => void {
    return this.#known.watch(listener, key)
  }

  /** Knows those again that were managed before this process began, and asks whether they are there. */
  restore(devices: Iterable<ManagedDevice>): void {
    this.#known.restore(devices)
    if (this.isUp) this.#search()
  }

  /** Manages a device no longer, until it asks for it again. */
  forget(key: string): void {
    this.#known.remove(key)
  }

  /** Asks one that is missing for something: who stayed with their broker has no reason to speak unless asked. */
  async find(key: string, signal: AbortSignal): Promise<void> {
    const device = this.device(key)
    if (device?.isMissing !== true) return
    await this.#questions.ask(
      device,
      { path: toDevice.observe, d: { fields: [{ field: FIRMWARE }] } },
      signal,
    )
    if (this.device(key)?.observed.length === 0) this.cancel(key, [FIRMWARE])
  }

  /** What is known of a device from elsewhere than from itself. */
  know(key: string, fields: readonly Field[]): void {
    this.#known.change(key, (device) => withFields(device, fields))
  }

  /** Writes attributes. */
  async write(
    key: string,
    fields: readonly Field[],
    signal: AbortSignal,
  ): Promise<Result<void, MqttProblem>> {
    const answer = await this.#ask(key, toDevice.update, { fields }, signal)
    if (!answer.ok) return answer
    this.#known.change(key, (device) => withFields(device, fields))
    return succeed(undefined)
  }

  /** Asks to be told of changes; what the attributes are now is learnt where the device says so. */
  async observe(
    key: string,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<Result<void, MqttProblem>> {
    // What comes before the answer is of what was asked for.
    this.#known.setObserved(key, (observed) => [...new Set([...observed, ...names])])
    const answer = await this.#ask(
      key,
      toDevice.observe,
      { fields: names.map((field) => ({ field })) },
      signal,
    )
    if (!answer.ok) return answer
    const told = judgeFields(answer.value.d)
    if (told.ok) this.#known.change(key, (device) => withTold(device, told.value.fields))
    return succeed(undefined)
  }

  /** Ends an observation; whatever the device says of it. */
  cancel(key: string, names: readonly string[]): void {
    this.#known.setObserved(key, (observed) => observed.filter((name) => !names.includes(name)))
    this.#background.start(async (signal) => {
      await this.#ask(key, toDevice.cancel, { fields: names.map((field) => ({ field })) }, signal)
    })
  }

  /** Asks devices for an action; what each of them answers, in their order. */
  initiate(
    action: Action,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly Result<void, MqttProblem>[]> {
    const ids = keys.map(parseKey)
    const why = refusal(
      action,
      ids.filter((id) => id !== undefined),
    )
    const { path, needs } = actions[action]
    return Promise.all(
      keys.map(async (key): Promise<Result<void, MqttProblem>> => {
        if (why !== undefined) return fail({ kind: 'failed', detail: why })
        const device = this.device(key)
        if (device !== undefined && device.supports[needs] !== true)
          return fail({ kind: 'unsupported', detail: `${key} takes no ${needs}` })
        const answer = await this.#ask(key, path, undefined, signal)
        return answer.ok ? succeed(undefined) : answer
      }),
    )
  }

  async close(): Promise<void> {
    this.#known.clear()
    this.#closing.abort()
    this.#questions.close()
    await this.#background.close()
    await this.#connection.close()
  }

  async #ask(
    key: string,
    path: string,
    d: Bag | undefined,
    signal: AbortSignal,
  ): Promise<Result<ResponseMessage, MqttProblem>> {
    signal.throwIfAborted()
    const device = this.device(key)
    if (device === undefined || device.isDormant) {
      const detail =
        device === undefined ? `${key} is not managed` : `${key} has not been heard of for too long`
      return fail({ kind: 'unreachable', detail })
    }
    return this.#questions.ask(device, { path, d }, signal)
  }

  #say({ typeId, deviceId }: DeviceId, path: string, message: object): Promise<boolean> {
    const topic = topicText({ root: 'iotdm-1', device: { typeId, deviceId }, path })
    return this.#connection.publish(topic, message)
  }

  #take(topic: string, payload: Uint8Array): void {
    const { root, device: who, path } = parseTopic(topic) ?? {}
    if (root !== 'iotdevice-1' || who === undefined || path === undefined) return
    const key = keyOf(who)
    if (parseKey(key) === undefined) return
    this.#known.wake(key)
    if (path === fromDevice.response) return this.#questions.answered(key, payload)
    const before = this.device(key)
    const isFull = before === undefined && this.#known.size >= (this.#options.maxDevices ?? MAX_DEVICES)
    const heard = hear(who, before, { path, payload })
    const { device, reqId, ...answer } = isFull && heard.device ? { ...heard, ...full } : heard
    if (device === 'gone') this.#known.remove(key)
    else if (device !== undefined)
      this.#known.keep(device, path === fromDevice.manage ? 'managed' : 'changed')
    if (reqId !== undefined)
      this.#background.start(async () => void (await this.#say(who, 'response', { ...answer, reqId })))
    if (path !== fromDevice.manage || device === undefined || device === 'gone') return
    this.#known.expireLater(key)
    this.#observeAgain([device])
  }

  /** A device that comes back, or whose broker does, may have forgotten what it was to tell. */
  #observeAgain(devices: readonly ManagedDevice[]): void {
    for (const { key, observed, isDormant } of devices) {
      if (observed.length === 0 || isDormant) continue
      this.#background.start(async (signal) => void (await this.observe(key, observed, signal)))
    }
  }

  #search(): void {
    for (const { key, isMissing } of this.devices())
      if (isMissing === true) this.#background.start((signal) => this.find(key, signal))
  }
}

const full = { rc: 409, message: 'no more devices are managed here', device: undefined }
