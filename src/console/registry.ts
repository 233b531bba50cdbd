import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { RegisteredDevice, RegisteredType, Registration } from '../bmc/registration.ts'
import type { ManagedDevice } from '../devices/mqtt/managed-device.ts'
import type { ManagedDevices } from '../devices/mqtt/manager.ts'
import { type DeviceId, keyOf } from '../devices/mqtt/topics.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'

export interface RegistryOptions {
  readonly clock: Clock
  readonly mqtt: ManagedDevices
}

/** A type of devices, as it is registered or as its devices say. */
export interface KnownType {
  readonly typeId: string
  readonly registered: RegisteredType | undefined
}

/** A device that is registered, or managed, or both. */
export interface KnownDevice extends DeviceId {
  readonly registered: RegisteredDevice | undefined
  readonly managed: ManagedDevice | undefined
}

export type NewType = Omit<RegisteredType, 'kind' | 'createdAt' | 'updatedAt'>
export interface NewDevice extends Omit<
  RegisteredDevice,
  'kind' | 'createdAt' | 'updatedAt' | 'salt' | 'digest'
> {
  /** Chosen here unless given. */
  readonly token: string | undefined
}

type Problem = 'taken' | 'no-type' | 'no-room'

/** So many types and devices may be registered. */
const MAX_REGISTERED = 100_000

/** The types and devices of IBM's device management: those that clients register, and those that come by themselves. */
export class Registry {
  readonly #options: RegistryOptions

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  types(bmc: Bmc): KnownType[] {
    const registered = [...bmc.state.registrations.values()].filter((one) => one.kind === 'type')
    const ids = [...registered, ...this.#options.mqtt.devices()].map(({ typeId }) => typeId)
    return [...new Set(ids)].toSorted().map((typeId) => ({ typeId, registered: typeOf(bmc, typeId) }))
  }

  type(bmc: Bmc, typeId: string): KnownType | undefined {
    const registered = typeOf(bmc, typeId)
    const isThere =
      registered !== undefined || this.#options.mqtt.devices().some((one) => one.typeId === typeId)
    return isThere ? { typeId, registered } : undefined
  }

  /** All devices, or those of a type. */
  devices(bmc: Bmc, typeId?: string): KnownDevice[] {
    const registered = [...bmc.state.registrations.values()].filter((one) => one.kind === 'device')
    const keys = [...registered, ...this.#options.mqtt.devices()]
      .filter((one) => typeId === undefined || one.typeId === typeId)
      .map(keyOf)
    return [...new Set(keys)].toSorted().flatMap((key) => this.device(bmc, key) ?? [])
  }

  device(bmc: Bmc, key: string): KnownDevice | undefined {
    const registered = deviceOf(bmc, key)
    const managed = this.#options.mqtt.device(key)
    const one = registered ?? managed
    return one && { typeId: one.typeId, deviceId: one.deviceId, registered, managed }
  }

  addType(bmc: Bmc, { typeId, ...given }: NewType): Result<KnownType, Problem> {
    if (typeOf(bmc, typeId) !== undefined) return fail('taken')
    if (!hasRoom(bmc)) return fail('no-room')
    const now = this.#options.clock.now()
    const registered: RegisteredType = { ...given, typeId, kind: 'type', createdAt: now, updatedAt: now }
    commit(bmc, { registrations: [[typeId, registered]] })
    return succeed({ typeId, registered })
  }

  /** Registers devices, each with a token that nobody is told again; what became of each, in their order. */
  addDevices(bmc: Bmc, all: readonly NewDevice[]): readonly Result<string, Problem>[] {
    const now = this.#options.clock.now()
    const types = new Set(this.types(bmc).map(({ typeId }) => typeId))
    const added = new Map<string, RegisteredDevice>()
    const results = all.map(({ token = newToken(), ...given }): Result<string, Problem> => {
      const key = keyOf(given)
      if (!types.has(given.typeId)) return fail('no-type')
      if (added.has(key) || deviceOf(bmc, key) !== undefined) return fail('taken')
      if (!hasRoom(bmc, added.size)) return fail('no-room')
      const salt = randomBytes(16).toString('hex')
      const times = { createdAt: now, updatedAt: now }
      added.set(key, { ...given, ...times, kind: 'device', salt, digest: digestOf(salt, token) })
      return succeed(token)
    })
    if (added.size > 0) commit(bmc, { registrations: [...added] })
    return results
  }

  /** Changes what is said of a type or a device. */
  change<R extends Registration>(
    bmc: Bmc,
    registered: R,
    changes: Partial<Pick<RegisteredType, 'description' | 'deviceInfo' | 'metadata'>>,
  ): R {
    const key = registered.kind === 'type' ? registered.typeId : keyOf(registered)
    const changed = { ...registered, ...changes, updatedAt: this.#options.clock.now() }
    commit(bmc, { registrations: [[key, changed]] })
    return changed
  }

  /** Removes a type; false where there are devices of it. */
  removeType(bmc: Bmc, typeId: string): boolean {
    if (this.devices(bmc, typeId).length > 0) return false
    commit(bmc, { registrations: [[typeId, undefined]] })
    return true
  }

  /** Removes devices, and manages them no longer; whether each was there, in their order. */
  removeDevices(bmc: Bmc, keys: readonly string[]): readonly boolean[] {
    const known = keys.map((key) => this.device(bmc, key) !== undefined)
    const gone = keys.filter((key) => deviceOf(bmc, key) !== undefined)
    if (gone.length > 0) commit(bmc, { registrations: gone.map((key) => [key, undefined] as const) })
    for (const key of keys) this.#options.mqtt.forget(key)
    return known
  }
}

/** Whether this is the token of a registered device; `undefined`: it is not registered. */
export function isToken(bmc: Bmc, key: string, token: string): boolean | undefined {
  const device = deviceOf(bmc, key)
  if (device === undefined) return undefined
  return timingSafeEqual(Buffer.from(digestOf(device.salt, token)), Buffer.from(device.digest))
}

function typeOf({ state }: Bmc, typeId: string): RegisteredType | undefined {
  const found = state.registrations.get(typeId)
  return found?.kind === 'type' ? found : undefined
}

function deviceOf({ state }: Bmc, key: string): RegisteredDevice | undefined {
  const found = state.registrations.get(key)
  return found?.kind === 'device' ? found : undefined
}

function hasRoom({ state }: Bmc, coming = 0): boolean {
  return state.registrations.size + coming < MAX_REGISTERED
}

function newToken(): string {
  return randomBytes(18).toString('base64url')
}

/** A device says its token whenever it connects, and thousands may at the same time: a digest that is slow would keep them waiting. */
function digestOf(salt: string, token: string): string {
  return createHash('sha256').update(`${salt} ${token}`).digest('hex')
}
