import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { deviceUris, firmwareId } from '../bmc/device-documents.ts'
import { type About, logged } from '../bmc/log.ts'
import type { DeviceAddress, DeviceFacts } from '../bmc/managed-device.ts'
import type { ComponentState, Entries } from '../bmc/state.ts'
import type { DeviceProblem } from '../devices/device.ts'
import { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { ofEach } from '../lib/of-each.ts'
import type { Result } from '../lib/result.ts'
import { Turns } from '../lib/turns.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import { answerOf } from './answers.ts'
import { type Method, methodOf } from './method.ts'

export interface LooksOptions {
  readonly clock: Clock
  readonly methods: readonly Method[]
  /** How often every device is looked at, in milliseconds. */
  readonly refreshMs: number
  /** Told of bugs. */
  readonly failed: (error: unknown) => void
}

/** So many are looked at at the same time. */
const MAX_LOOKS = 32
/** A look that takes longer goes on, and keeps no other from its turn. */
const SLOW_MS = 5_000
/** A look takes as long as from one to the next, but no less and no more than this. */
const LOOK_MS = { least: 60_000, most: 300_000 }
/** Who is not reached is looked for more and more seldom, until it is so many times less often. */
const MOST_SELDOM = 8

/** What the devices of a console say of themselves, when they are looked at: now and then, and when something was done to them. */
export class Looks {
  readonly #options: LooksOptions
  readonly #background: Background
  readonly #turns = new Turns(MAX_LOOKS)
  readonly #watches = ofEach<Bmc, Map<string, AbortController>>(() => new Map())

  constructor(options: LooksOptions) {
    this.#options = options
    this.#background = new Background(options.failed)
  }

  /** Asks a device who it is. */
  ask(
    { adapter }: Pick<Method, 'adapter'>,
    address: DeviceAddress,
    signal: AbortSignal,
  ): Promise<Result<DeviceFacts, DeviceProblem>> {
    const { clock, refreshMs, failed } = this.#options
    const waitMs = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, refreshMs))
    return answerOf((either) => adapter.look(address, either), { clock, waitMs, signal, failed })
  }

  /** Looks at a device again and again until that is ended. */
  watch(bmc: Bmc, id: string, atOnce = false): void {
    const { clock, refreshMs } = this.#options
    const watch = this.#background.start(async (signal) => {
      if (atOnce) await this.#look(bmc, id, signal)
      for (let seldom = 1; ;) {
        await clock.sleep(refreshMs * seldom, signal)
        const wasLost = bmc.state.devices.get(id)?.isReachable === false
        await this.#look(bmc, id, signal)
        const isLost = bmc.state.devices.get(id)?.isReachable === false
        seldom = wasLost && isLost ? Math.min(2 * seldom, MOST_SELDOM) : 1
      }
    }, bmc)
    this.#watches(bmc).set(id, watch)
  }

  end(bmc: Bmc, id: string): void {
    this.#watches(bmc).get(id)?.abort(new Error('detached'))
    this.#watches(bmc).delete(id)
  }

  /** Looks at a device as soon as it is its turn. */
  soon(bmc: Bmc, id: string): void {
    this.#background.start((signal) => this.#look(bmc, id, signal), bmc)
  }

  /** The same; resolves when it was looked at. */
  now(bmc: Bmc, id: string, signal: AbortSignal): Promise<void> {
    return this.#look(bmc, id, signal)
  }

  /** A device has said who it is, at this address where that is another. */
  seen(bmc: Bmc, id: string, facts: DeviceFacts, address?: DeviceAddress): void {
    const device = bmc.state.devices.get(id)
    if (device === undefined) return
    const isSame = device.isReachable && JSON.stringify(device.facts) === JSON.stringify(facts)
    const components = overtaken(bmc, id, facts)
    // What nobody sees is no commit.
    if (isSame && address === undefined && components.length === 0) return
    const now = this.#options.clock.now()
    const seen = { facts, isReachable: true, seenAt: now }
    commit(bmc, {
      devices: [[id, { ...device, ...seen, ...(address && { address }) }]],
      components,
      ...(!device.isReachable && logged(bmc, now, aboutDevice(id), [healthOf(id, 'OK')])),
    })
  }

  close(): Promise<void> {
    return this.#background.close()
  }

  async #look(bmc: Bmc, id: string, signal: AbortSignal): Promise<void> {
    const end = await this.#turns.take(signal)
    const cancel = this.#options.clock.schedule(SLOW_MS, end)
    try {
      const device = bmc.state.devices.get(id)
      const method = device && methodOf(this.#options.methods, device)
      if (device === undefined) return
      if (method === undefined) return this.#lost(bmc, id, `there is no way ${device.method}`)
      const looked = await this.ask(method, device.address, signal)
      signal.throwIfAborted()
      // Of where it was before it can say nothing any more.
      if (bmc.state.devices.get(id)?.address !== device.address) return
      if (looked.ok) this.seen(bmc, id, looked.value)
      else this.#lost(bmc, id, looked.problem.detail)
    } finally {
      cancel()
      end()
    }
  }

  #lost(bmc: Bmc, id: string, why: string): void {
    const device = bmc.state.devices.get(id)
    if (device?.isReachable !== true) return
    const about = { ...aboutDevice(id), description: why }
    commit(bmc, {
      devices: [[id, { ...device, isReachable: false }]],
      ...logged(bmc, this.#options.clock.now(), about, [healthOf(id, 'Critical')]),
    })
  }
}

/** What the log's entries on a device are about. */
export function aboutDevice(id: string): About {
  return { origin: uris.aggregationSource(id), related: deviceUris(id) }
}

function healthOf(id: string, health: 'OK' | 'Critical'): Message {
  return message(`ResourceEvent.ResourceStatusChanged${health}`, uris.aggregationSource(id), health)
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
