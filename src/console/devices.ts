import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { DeviceAddress, ManagedDevice } from '../bmc/managed-device.ts'
import { nextNumber } from '../bmc/numbers.ts'
import type { ComponentState, Entries } from '../bmc/state.ts'
import { deviceUris, firmwareId } from '../bmc/attached.ts'
import type { DeviceAdapter, DeviceFacts, DeviceProblem, OnDevice } from '../devices/device.ts'
import type { ActivationJob, Flasher, FlashJob, FlashResult } from '../devices/flasher.ts'
import { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { ofEach } from '../lib/of-each.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { Turns } from '../lib/turns.ts'
import { message } from '../redfish/messages/message.ts'
import { lastSegment, uris } from '../redfish/uris.ts'

/** A way to reach devices: what a ConnectionMethod shows of it, and how it is done. */
export interface Method {
  readonly id: string
  readonly type: 'Redfish' | 'OEM'
  /** What a ConnectionMethodVariant says: which of the OEM's. */
  readonly variant: string
  readonly adapter: DeviceAdapter
  /** Of devices that come by themselves: tells of each that is there, has changed, or is gone, until it is ended. */
  readonly announces?: (told: (announcement: Announcement) => void) => () => void
}

export interface Announcement {
  readonly kind: 'here' | 'gone'
  /** Of the device's address. */
  readonly hostName: string
}

export interface DevicesOptions {
  readonly clock: Clock
  readonly methods: readonly Method[]
  /** How often every device is looked at, in milliseconds. */
  readonly refreshMs: number
  /** Told of bugs. */
  readonly failed: (error: unknown) => void
}

/** So many are looked at at the same time. */
const MAX_LOOKS = 32

/** The devices that a console manages: who they are, what runs on them, and how what is asked of them is done. */
export class Devices {
  readonly #options: DevicesOptions
  readonly #background: Background
  readonly #looks = new Turns(MAX_LOOKS)
  readonly #bmcs = new Map<string, Bmc>()
  /** Aborted at the end, and with it whatever clients wait for. */
  readonly #closing = new AbortController()
  /** Devices that are looked at to be attached, by method and host name, and what was said of them last meanwhile. */
  readonly #coming = new Map<string, Announcement['kind']>()
  /** Whom a job that has begun is for, by BMC and component: it ends where it began, whatever clients change meanwhile. */
  readonly #begun = new Map<string, Errand>()
  readonly #watches = ofEach<Bmc, Map<string, AbortController>>(() => new Map())
  /** Gives every job to the adapter of its device. */
  readonly flasher: Flasher

  constructor(options: DevicesOptions) {
    this.#options = options
    this.#background = new Background(options.failed)
    this.flasher = {
      transfer: (job) => {
        const found = this.#find(job)
        if (found) this.#begun.set(keyOf(job), found)
        return this.#flash(job, (adapter, on) => adapter.transfer({ ...job, ...on }))
      },
      verify: (job) => this.#flash(job, (adapter, on) => adapter.verify({ ...job, ...on })),
      install: (job) => this.#flash(job, (adapter, on) => adapter.install({ ...job, ...on })),
      activate: (job) => this.#activate(job),
      release: (job) => {
        const found = this.#find(job)
        this.#begun.delete(keyOf(job))
        found?.adapter.release({ ...job, ...found.on })
      },
    }
  }

  /** The ways to reach devices, by the Ids of their ConnectionMethods. */
  get methods(): readonly Method[] {
    return this.#options.methods
  }

  /** Looks at a device and attaches it. */
  async attach(
    bmc: Bmc,
    method: Method,
    address: DeviceAddress,
  ): Promise<Result<ManagedDevice, DeviceProblem | { readonly kind: 'taken' }>> {
    const { clock } = this.#options
    const key = placeOf(method.id, address.hostName)
    if (this.#coming.has(key) || findDevice(bmc, key) !== undefined) return fail({ kind: 'taken' })
    this.#coming.set(key, 'here')
    let isGone = false
    const looked = await this.#ask(method, address, this.#closing.signal).finally(() => {
      isGone = this.#coming.get(key) === 'gone'
      this.#coming.delete(key)
    })
    if (!looked.ok) return looked
    if (isGone) return fail({ kind: 'unreachable', detail: address.hostName })
    const id = String(nextNumber(bmc, 'devices'))
    const device: ManagedDevice = {
      id,
      method: method.id,
      address,
      facts: looked.value,
      isReachable: true,
      seenAt: clock.now(),
    }
    commit(bmc, { devices: [[id, device]] })
    this.#watch(bmc, id)
    return succeed(device)
  }

  /** Lets go of a device; what was known of its firmware goes with it. */
  detach(bmc: Bmc, id: string): void {
    this.#watches(bmc).get(id)?.abort(new Error('detached'))
    this.#watches(bmc).delete(id)
    const isOf = (component: string): boolean => component.startsWith(firmwareId(id, ''))
    const gone = [...bmc.state.components.keys(), ...bmc.state.history.keys()].filter(isOf)
    const aggregates = [...bmc.state.aggregates].flatMap(([key, aggregate]) => {
      const elements = aggregate.elements.filter((uri) => !deviceUris(id).includes(uri))
      return elements.length < aggregate.elements.length ? [[key, { ...aggregate, elements }] as const] : []
    })
    commit(bmc, {
      devices: [[id, undefined]],
      aggregates,
      components: gone.map((component) => [component, undefined] as const),
      history: gone.map((component) => [component, undefined] as const),
    })
  }

  /** Reaches a device from now on as this says. */
  async change(
    bmc: Bmc,
    device: ManagedDevice,
    address: DeviceAddress,
  ): Promise<Result<void, DeviceProblem | { readonly kind: 'taken' }>> {
    const method = this.#methodOf(device)
    if (method === undefined) return fail({ kind: 'unsupported', detail: device.method })
    const other = findDevice(bmc, placeOf(method.id, address.hostName))
    if (other !== undefined && other.id !== device.id) return fail({ kind: 'taken' })
    const looked = await this.#ask(method, address, this.#closing.signal)
    if (!looked.ok) return looked
    this.#seen(bmc, device.id, looked.value, address)
    return succeed(undefined)
  }

  /** Asks for a reset of a device's system or manager; `undefined`: that resource is no device's. */
  reset(
    bmc: Bmc,
    uri: string,
    type: string,
    signal: AbortSignal = this.#closing.signal,
  ): Promise<Result<void, DeviceProblem>> | undefined {
    const device = bmc.state.devices.get(lastSegment(uri))
    if (device === undefined) return undefined
    const of =
      uri === uris.system(device.id) ? 'system' : uri === uris.manager(device.id) ? 'manager' : undefined
    if (of === undefined) return undefined
    const method = this.#methodOf(device)
    if (method === undefined) return Promise.resolve(fail({ kind: 'unsupported', detail: device.method }))
    return this.#resetAndLook(bmc, device, method.adapter.reset(device.address, { of, type }, signal))
  }

  /** After a restart: looks at all that were attached. */
  takeUp(bmc: Bmc): void {
    this.#bmcs.set(bmc.id, bmc)
    for (const id of bmc.state.devices.keys()) this.#watch(bmc, id, true)
  }

  /** From now on devices may come by themselves. */
  begin(bmc: Bmc): void {
    for (const method of this.methods) {
      const end = method.announces?.((announcement) => this.#announced(bmc, method, announcement))
      if (end) this.#closing.signal.addEventListener('abort', end, { once: true })
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closing'))
    await this.#background.close()
    await Promise.all(this.methods.map(({ adapter }) => adapter.close()))
  }

  async #resetAndLook(
    bmc: Bmc,
    { id }: ManagedDevice,
    asked: Promise<Result<void, DeviceProblem>>,
  ): Promise<Result<void, DeviceProblem>> {
    const done = await this.#options.clock.io(asked)
    if (done.ok) this.#lookSoon(bmc, id)
    return done
  }

  #announced(bmc: Bmc, method: Method, { kind, hostName }: Announcement): void {
    const key = placeOf(method.id, hostName)
    if (this.#coming.has(key)) return void this.#coming.set(key, kind)
    const known = findDevice(bmc, key)
    if (known !== undefined)
      return kind === 'here' ? this.#lookSoon(bmc, known.id) : this.detach(bmc, known.id)
    if (kind === 'gone') return
    this.#background.start(async () => {
      await this.attach(bmc, method, { hostName, userName: '', password: '' })
    }, bmc)
  }

  /** Looks at a device; an adapter with a bug is one that did not reach it. */
  async #ask(
    { adapter }: Method,
    address: DeviceAddress,
    signal: AbortSignal,
  ): Promise<Result<DeviceFacts, DeviceProblem>> {
    try {
      return await this.#options.clock.io(adapter.look(address, signal))
    } catch (error) {
      signal.throwIfAborted()
      this.#options.failed(error)
      return fail({ kind: 'failed', detail: 'the adapter failed' })
    }
  }

  #methodOf({ method }: ManagedDevice): Method | undefined {
    return this.methods.find(({ id }) => id === method)
  }

  /** Looks at a device again and again until it is detached. */
  #watch(bmc: Bmc, id: string, atOnce = false): void {
    this.#bmcs.set(bmc.id, bmc)
    const { clock, refreshMs } = this.#options
    const watch = this.#background.start(async (signal) => {
      for (let isFirst = true; ; isFirst = false) {
        if (!isFirst || !atOnce) await clock.sleep(refreshMs, signal)
        await this.#look(bmc, id, signal)
      }
    }, bmc)
    this.#watches(bmc).set(id, watch)
  }

  #lookSoon(bmc: Bmc, id: string): void {
    this.#background.start((signal) => this.#look(bmc, id, signal), bmc)
  }

  async #look(bmc: Bmc, id: string, signal: AbortSignal): Promise<void> {
    const end = await this.#looks.take(signal)
    try {
      const device = bmc.state.devices.get(id)
      const method = device && this.#methodOf(device)
      if (device === undefined) return
      if (method === undefined) return this.#lost(bmc, id)
      const looked = await this.#ask(method, device.address, signal)
      signal.throwIfAborted()
      // Of where it was before it can say nothing any more.
      if (bmc.state.devices.get(id)?.address !== device.address) return
      if (looked.ok) this.#seen(bmc, id, looked.value)
      else this.#lost(bmc, id)
    } finally {
      end()
    }
  }

  #seen(bmc: Bmc, id: string, facts: DeviceFacts, address?: DeviceAddress): void {
    const device = bmc.state.devices.get(id)
    if (device === undefined) return
    const isSame = device.isReachable && JSON.stringify(device.facts) === JSON.stringify(facts)
    const components = overtaken(bmc, id, facts)
    // What nobody sees is no commit.
    if (isSame && address === undefined && components.length === 0) return
    const seen = { facts, isReachable: true, seenAt: this.#options.clock.now() }
    commit(bmc, {
      devices: [[id, { ...device, ...seen, ...(address && { address }) }]],
      components,
    })
  }

  #lost(bmc: Bmc, id: string): void {
    const device = bmc.state.devices.get(id)
    if (device?.isReachable !== true) return
    commit(bmc, { devices: [[id, { ...device, isReachable: false }]] })
  }

  /** The device that a job is for, and who does it. */
  #find(job: Pick<FlashJob, 'bmcId' | 'component'>): Errand | undefined {
    const { bmcId, component } = job
    const begun = this.#begun.get(keyOf(job))
    if (begun !== undefined) return begun
    const device = this.#bmcs.get(bmcId)?.state.devices.get(component.on?.device ?? '')
    const firmware = device?.facts.firmware.find(({ id }) => id === component.on?.firmware)
    const method = device && this.#methodOf(device)
    if (device === undefined || firmware === undefined || method === undefined) return undefined
    const on: OnDevice = { device: device.address, firmware }
    return { adapter: method.adapter, on }
  }

  async #flash(
    job: ActivationJob,
    run: (adapter: DeviceAdapter, on: OnDevice) => Promise<FlashResult>,
  ): Promise<FlashResult> {
    const found = this.#find(job)
    if (found !== undefined) return this.#options.clock.io(run(found.adapter, found.on))
    const why = [message('Base.ResourceNotFound', 'AggregationSource', job.component.on?.device ?? '')]
    return fail({ kind: 'failed', why })
  }

  async #activate(job: ActivationJob): Promise<FlashResult> {
    const result = await this.#flash(job, (adapter, on) => adapter.activate({ ...job, ...on }))
    this.#begun.delete(keyOf(job))
    const bmc = this.#bmcs.get(job.bmcId)
    if (bmc && job.component.on) this.#lookSoon(bmc, job.component.on.device)
    return result
  }
}

/** Who does a job, and on what. */
interface Errand {
  readonly adapter: DeviceAdapter
  readonly on: OnDevice
}

function keyOf({ bmcId, component }: Pick<FlashJob, 'bmcId' | 'component'>): string {
  return `${bmcId} ${component.id}`
}

/** A device by how it is reached: host names are the same in small letters and large, and URLs without a last slash. */
function placeOf(method: string, hostName: string): string {
  const isUrl = hostName.includes('://')
  return `${method} ${isUrl ? hostName.toLowerCase().replace(/\/$/, '') : hostName}`
}

function findDevice({ state }: Bmc, place: string): ManagedDevice | undefined {
  for (const device of state.devices.values())
    if (placeOf(device.method, device.address.hostName) === place) return device
  return undefined
}

/** What runs according to updates, where the device says otherwise: of that nothing more is known than what it says. */
function overtaken({ state }: Bmc, device: string, { firmware }: DeviceFacts): Entries<ComponentState> {
  return firmware.flatMap(({ id, version }) => {
    const component = firmwareId(device, id)
    const known = state.components.get(component)
    if (known === undefined || known.state === 'Updating') return []
    if (known.version === version && known.health === 'OK') return []
    const kept = known.isWriteProtected === true ? { ...unknown, version, isWriteProtected: true } : undefined
    return [[component, kept] as const]
  })
}

/** What is not known of firmware that nobody here has installed. */
const unknown = {
  releaseDate: undefined,
  state: 'Enabled',
  health: 'OK',
  sizeBytes: undefined,
  pending: undefined,
}
