import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { logged } from '../bmc/log.ts'
import type { DeviceAddress, ManagedDevice } from '../bmc/managed-device.ts'
import { renewalBy } from '../bmc/reset.ts'
import type { PerformedReset } from '../bmc/reset-types.ts'
import type { Abilities, DeviceProblem } from '../devices/device.ts'
import type { Flasher } from '../devices/flasher.ts'
import { Background } from '../lib/background.ts'
import { ofEach } from '../lib/of-each.ts'
import { fail, type Result } from '../lib/result.ts'
import { message } from '../redfish/messages/message.ts'
import { lastSegment, uris } from '../redfish/uris.ts'
import { answerOf } from './answers.ts'
import { type AttachProblem, Attaching } from './attaching.ts'
import { departure, KeptFirmware } from './departure.ts'
import { Errands } from './errands.ts'
import { aboutDevice, Looks, type LooksOptions } from './looks.ts'
import { type Announcement, type Method, methodOf } from './method.ts'
import { problemMessages } from './problems.ts'

/** Who waits for something of a device. */
export interface DeviceFollowers {
  /** It begins anew, as it was asked to. */
  readonly renewed: (bmc: Bmc, reset: PerformedReset, signal: AbortSignal) => Promise<void>
  /** It is managed no more. */
  readonly detached: (bmc: Bmc, device: string) => void
}

type Asked = Promise<Result<void, DeviceProblem>>

/** What a device is asked for that only some kinds can. */
export type Wish<T> = (
  abilities: Abilities,
  address: DeviceAddress,
  signal: AbortSignal,
) => Promise<Result<T, DeviceProblem>>

/** So long a device may take for it. */
const ANSWER_MS = 60_000

/** The devices that a console manages: who they are, what runs on them, and how what is asked of them is done. */
export class Devices {
  readonly #options: LooksOptions
  readonly #background: Background
  readonly #looks: Looks
  readonly #bmcs = new Map<string, Bmc>()
  readonly #firmware = ofEach((bmc: Bmc) => new KeptFirmware(bmc))
  /** Aborted at the end, and with it whatever clients wait for. */
  readonly #closing = new AbortController()
  readonly #attaching: Attaching
  readonly #errands: Errands
  #followers: DeviceFollowers | undefined

  constructor(options: LooksOptions) {
    this.#options = options
    this.#background = new Background(options.failed)
    this.#looks = new Looks(options)
    this.#attaching = new Attaching({ ...options, looks: this.#looks, signal: this.#closing.signal })
    this.#errands = new Errands({
      ...options,
      bmcOf: (id) => this.#bmcs.get(id),
      look: (adapter, device, signal) => this.#looks.ask({ adapter }, device, signal),
      done: (bmc, device) => {
        if (!this.#closing.signal.aborted) this.#looks.soon(bmc, device)
      },
    })
  }

  /** Gives every job to the adapter of its device. */
  get flasher(): Flasher {
    return this.#errands
  }

  /** From now on whoever waits for something of a device is told. */
  follow(followers: DeviceFollowers): void {
    this.#followers = followers
  }

  /** The ways to reach devices, by the Ids of their ConnectionMethods. */
  get methods(): readonly Method[] {
    return this.#options.methods
  }

  /** Looks at a device and attaches it. */
  async attach(
    bmc: Bmc,
    method: Method,
    device: Pick<ManagedDevice, 'name' | 'address'>,
  ): Promise<Result<ManagedDevice, AttachProblem>> {
    const attached = await this.#attaching.attach(bmc, method, device)
    if (!attached.ok) return attached
    this.#bmcs.set(bmc.id, bmc)
    this.#looks.watch(bmc, attached.value.id)
    return attached
  }

  /** Lets go of a device: all that was known of it goes with it, and what is done to it ends. */
  detach(bmc: Bmc, id: string): void {
    this.#looks.end(bmc, id)
    const device = bmc.state.devices.get(id)
    commit(bmc, departure(bmc, id, this.#firmware(bmc).of(id)))
    this.#errands.detached(bmc, id)
    this.#followers?.detached(bmc, id)
    if (device !== undefined) methodOf(this.methods, device)?.forget?.(device.address.hostName)
  }

  /** Reaches a device from now on as this says. */
  change(bmc: Bmc, device: ManagedDevice, address: DeviceAddress): Promise<Result<void, AttachProblem>> {
    return this.#attaching.change(bmc, device, address)
  }

  /** Asks for a reset of a device's system or manager; `undefined`: that resource is no device's. */
  reset(bmc: Bmc, uri: string, type: string, signal: AbortSignal = this.#closing.signal): Asked | undefined {
    const device = bmc.state.devices.get(lastSegment(uri))
    if (device === undefined) return undefined
    const of =
      uri === uris.system(device.id) ? 'system' : uri === uris.manager(device.id) ? 'manager' : undefined
    if (of === undefined) return undefined
    const method = methodOf(this.methods, device)
    if (method === undefined)
      return Promise.resolve(fail({ kind: 'unsupported', detail: `there is no way ${device.method}` }))
    // What it was before decides what it goes through.
    const renewal = renewalBy(bmc, uri, type)
    const asked = method.adapter.reset(device.address, { of, type }, signal)
    return this.#resetAndLook(bmc, device, { renewal, asked })
  }

  /** The same where nobody waits: what does not come about is in the log. False: that resource is no device's. */
  resetSoon(bmc: Bmc, uri: string, type: string): boolean {
    const asked = this.reset(bmc, uri, type)
    if (asked === undefined) return false
    this.#background.start(async () => {
      const done = await asked
      const now = this.#options.clock.now()
      if (!done.ok) commit(bmc, logged(bmc, now, uri, problemMessages(done.problem, uri)))
    }, bmc)
    return true
  }

  /** Asks a device for something that only some kinds can. */
  ask<T>(bmc: Bmc, id: string, wish: Wish<T>): Promise<Result<T, DeviceProblem>> {
    const { clock, failed } = this.#options
    const device = bmc.state.devices.get(id)
    const abilities = device && methodOf(this.methods, device)?.adapter.abilities
    if (device === undefined || abilities === undefined)
      return Promise.resolve(fail({ kind: 'unsupported', detail: 'nothing of the kind' }))
    const waiting = { clock, failed, waitMs: ANSWER_MS, signal: this.#closing.signal }
    return answerOf((signal) => wish(abilities, device.address, signal), waiting)
  }

  /** Looks at a device that is another now than it was. */
  lookSoon(bmc: Bmc, id: string): void {
    this.#looks.soon(bmc, id)
  }

  /** Looks at a device; resolves when what it says now is known. */
  look(bmc: Bmc, id: string): Promise<void> {
    return this.#looks.now(bmc, id, this.#closing.signal)
  }

  /** After a restart: looks at all that were attached. */
  takeUp(bmc: Bmc): void {
    this.#bmcs.set(bmc.id, bmc)
    for (const id of bmc.state.devices.keys()) this.#looks.watch(bmc, id, true)
  }

  /** From now on devices may come by themselves. */
  begin(bmc: Bmc): void {
    for (const method of this.methods) {
      const end = method.announces?.((announcement) => this.#announced(bmc, method, announcement), bmc)
      if (end) this.#closing.signal.addEventListener('abort', end, { once: true })
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closing'))
    await Promise.all([this.#background.close(), this.#looks.close()])
    await Promise.all(this.methods.map(({ adapter }) => adapter.close()))
  }

  async #resetAndLook(
    bmc: Bmc,
    { id }: ManagedDevice,
    { renewal, asked }: { readonly renewal: PerformedReset | undefined; readonly asked: Asked },
  ): Asked {
    const done = await this.#options.clock.io(asked)
    if (!done.ok) return done
    this.#looks.soon(bmc, id)
    if (renewal !== undefined)
      this.#background.start(async (signal) => this.#followers?.renewed(bmc, renewal, signal), bmc)
    return done
  }

  #announced(bmc: Bmc, method: Method, announcement: Announcement): void {
    const { kind, hostName } = announcement
    const known = this.#attaching.announced(bmc, method, announcement)
    if (known === 'coming' || (known === undefined && kind === 'gone')) return
    if (known !== undefined)
      return kind === 'here' ? this.#looks.soon(bmc, known.id) : this.detach(bmc, known.id)
    this.#background.start(async () => {
      const address = { hostName, userName: '', password: '' }
      const attached = await this.attach(bmc, method, { address })
      if (!attached.ok) return
      const discovered = message('ResourceEvent.AggregationSourceDiscovered', method.variant, hostName)
      commit(bmc, logged(bmc, this.#options.clock.now(), aboutDevice(attached.value.id), [discovered]))
    }, bmc)
  }
}
