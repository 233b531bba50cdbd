import { type Bmc, type Component, findComponent } from '../bmc/bmc.ts'
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
  /** Devices that came by themselves and are being looked at, by method and host name. */
  readonly #coming = new Set<string>()
  readonly #watches = ofEach<Bmc, Map<string, AbortController>>(() => new Map())
  /** Gives every job to the adapter of its device. */
  readonly flasher: Flasher

  constructor(options: DevicesOptions) {
    this.#options = options
    this.#background = new Background(options.failed)
    this.flasher = {
      transfer: (job) => this.#flash(job, (adapter, on) => adapter.transfer({ ...job, ...on })),
      verify: (job) => this.#flash(job, (adapter, on) => adapter.verify({ ...job, ...on })),
      install: (job) => this.#flash(job, (adapter, on) => adapter.install({ ...job, ...on })),
      activate: (job) => this.#activate(job),
      release: (job) => {
        const found = this.#find(job)
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
  ): Promise<Result<ManagedDevice, DeviceProblem>> {
    const { clock } = this.#options
    const looked = await clock.io(method.adapter.look(address, this.#closing.signal))
    if (!looked.ok) return looked
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
    const gone = bmc.state.devices.get(id)?.facts.firmware.map((one) => firmwareId(id, one.id)) ?? []
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
  ): Promise<Result<void, DeviceProblem>> {
    const method = this.#methodOf(device)
    if (method === undefined) return fail({ kind: 'unsupported', detail: device.method })
    const looked = await this.#options.clock.io(method.adapter.look(address, this.#closing.signal))
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
    const method = this.#methodOf(device)
    if (of === undefined || method === undefined) return undefined
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
    const key = `${method.id} ${hostName}`
    const known = [...bmc.state.devices.values()].find(
      (device) => device.method === method.id && device.address.hostName === hostName,
    )
    if (known !== undefined)
      return kind === 'here' ? this.#lookSoon(bmc, known.id) : this.detach(bmc, known.id)
    if (kind === 'gone' || this.#coming.has(key)) return
    this.#coming.add(key)
    this.#background.start(async () => {
      try {
        await this.attach(bmc, method, { hostName, userName: '', password: '' })
      } finally {
        this.#coming.delete(key)
      }
    }, bmc)
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
      if (device === undefined || method === undefined) return
      const looked = await this.#options.clock.io(method.adapter.look(device.address, signal))
      signal.throwIfAborted()
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
    // What nobody sees is no commit.
    if (isSame && address === undefined) return
    const seen = { facts, isReachable: true, seenAt: this.#options.clock.now() }
    commit(bmc, {
      devices: [[id, { ...device, ...seen, ...(address && { address }) }]],
      components: overtaken(bmc, id, facts),
    })
  }

  #lost(bmc: Bmc, id: string): void {
    const device = bmc.state.devices.get(id)
    if (device?.isReachable !== true) return
    commit(bmc, { devices: [[id, { ...device, isReachable: false }]] })
  }

  /** The device that a job is for, and who does it. */
  #find({ bmcId, component }: Pick<FlashJob, 'bmcId' | 'component'>) {
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
    const bmc = this.#bmcs.get(job.bmcId)
    if (bmc && job.component.on) this.#lookSoon(bmc, job.component.on.device)
    return result
  }
}

/** What runs according to updates, where the device says that something else does. */
function overtaken(bmc: Bmc, device: string, { firmware }: DeviceFacts): Entries<ComponentState> {
  return firmware.flatMap(({ id, version }) => {
    const component: Component | undefined = findComponent(bmc, firmwareId(device, id))
    const known = component && bmc.state.components.get(component.id)
    if (known === undefined || known.version === version || known.state === 'Updating') return []
    return [[component?.id ?? '', { ...known, version }] as const]
  })
}
