import { type Bmc, machineMember } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { DeviceAddress, DeviceFacts, ManagedDevice } from '../bmc/managed-device.ts'
import { nextNumber } from '../bmc/numbers.ts'
import type { DeviceProblem } from '../devices/device.ts'
import type { Clock } from '../lib/clock.ts'
import { ofEach } from '../lib/of-each.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { uris } from '../redfish/uris.ts'
import type { Looks } from './looks.ts'
import { type Announcement, type Method, methodOf } from './method.ts'
import { placeAt, Places } from './places.ts'

/** Why a device is not attached, or not reached another way: it already is, or it is this service itself. */
export type AttachProblem =
  | DeviceProblem
  /** By another source, unless just now another client has it attached. */
  | { readonly kind: 'taken'; readonly by: ManagedDevice | undefined }
  | { readonly kind: 'itself' }

interface AttachingOptions {
  readonly clock: Clock
  readonly methods: readonly Method[]
  readonly looks: Looks
  /** Aborted at the end. */
  readonly signal: AbortSignal
}

/** Where somebody says that a device is, and which one that is to be where it is attached already. */
interface Wanted {
  readonly address: DeviceAddress
  readonly place: string
  readonly device?: ManagedDevice
}

/** Who is attached and by which address: each device once, and this service not to itself. */
export class Attaching {
  readonly #options: AttachingOptions
  readonly #places: (bmc: Bmc) => Places
  /** Where is looked just now for a device that is to be there, and what was said of it last meanwhile. */
  readonly #coming = new Map<string, Announcement['kind']>()
  /** Those that are to be reached another way, by their BMCs. */
  readonly #moving = ofEach<Bmc, Set<string>>(() => new Set())

  constructor(options: AttachingOptions) {
    this.#options = options
    this.#places = ofEach((bmc) => new Places(bmc, options.methods))
  }

  /** Looks at a device and attaches it. */
  async attach(
    bmc: Bmc,
    method: Method,
    { name, address }: Pick<ManagedDevice, 'name' | 'address'>,
  ): Promise<Result<ManagedDevice, AttachProblem>> {
    const looked = await this.#look(bmc, method, { address, place: placeAt(method, address.hostName) })
    if (!looked.ok) return looked
    const id = String(nextNumber(bmc, 'devices'))
    const now = this.#options.clock.now()
    const device: ManagedDevice = {
      id,
      name,
      method: method.id,
      address,
      facts: looked.value,
      isReachable: true,
      attachedAt: now,
      seenAt: now,
    }
    commit(bmc, { devices: [[id, device]] })
    return succeed(device)
  }

  /** Reaches a device from now on as this says. */
  async change(
    bmc: Bmc,
    device: ManagedDevice,
    address: DeviceAddress,
  ): Promise<Result<void, AttachProblem>> {
    const method = methodOf(this.#options.methods, device)
    if (method === undefined) return fail({ kind: 'unsupported', detail: `there is no way ${device.method}` })
    const moving = this.#moving(bmc)
    // What one client leaves as it is another may change meanwhile.
    if (moving.has(device.id)) return fail({ kind: 'busy', detail: 'it is being changed' })
    moving.add(device.id)
    try {
      const looked = await this.#look(bmc, method, {
        address,
        place: placeAt(method, address.hostName),
        device,
      })
      if (!looked.ok) return looked
      this.#options.looks.seen(bmc, device.id, looked.value, address)
      return succeed(undefined)
    } finally {
      moving.delete(device.id)
    }
  }

  /** The device of which this was said; `undefined`: it is none, and may be asked for who it is. */
  announced(
    bmc: Bmc,
    method: Method,
    { kind, hostName }: Announcement,
  ): ManagedDevice | 'coming' | undefined {
    const place = placeAt(method, hostName)
    const known = this.#places(bmc).find(place)
    if (known !== undefined || !this.#coming.has(place)) return known
    this.#coming.set(place, kind)
    return 'coming'
  }

  /** Who is there, unless somebody else has it. */
  async #look(
    bmc: Bmc,
    method: Method,
    { address, place, device }: Wanted,
  ): Promise<Result<DeviceFacts, AttachProblem>> {
    const places = this.#places(bmc)
    const isOther = (one: ManagedDevice | undefined): boolean => one !== undefined && one.id !== device?.id
    const there = places.find(place)
    if (isOther(there) || this.#coming.has(place)) return fail({ kind: 'taken', by: there })
    this.#coming.set(place, 'here')
    let isGone = false
    const looked = await this.#options.looks.ask(method, address, this.#options.signal).finally(() => {
      isGone = this.#coming.get(place) === 'gone'
      this.#coming.delete(place)
    })
    if (!looked.ok) return looked
    if (isItself(bmc, looked.value)) return fail({ kind: 'itself' })
    const same = places.findSame(method.id, looked.value)
    if (isOther(same)) return fail({ kind: 'taken', by: same })
    return isGone ? fail({ kind: 'unreachable', detail: address.hostName }) : looked
  }
}

/** Whether a device is the service that it is to be attached to. */
function isItself(bmc: Bmc, { serviceUuid }: DeviceFacts): boolean {
  const own = machineMember(bmc, uris.root, 'UUID')
  return typeof own === 'string' && own.toLowerCase() === serviceUuid?.toLowerCase()
}
