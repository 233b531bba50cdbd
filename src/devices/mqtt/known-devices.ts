import type { Clock } from '../../lib/clock.ts'
import type { Result } from '../../lib/result.ts'
import type { ManagedDevice } from './managed-device.ts'

export type DeviceEvent =
  /** `managed`: it has asked to be, for the first time or again. */
  | { readonly kind: 'managed' | 'changed' | 'dormant' | 'awake'; readonly device: ManagedDevice }
  | { readonly kind: 'unmanaged'; readonly device: ManagedDevice }

export type DeviceListener = (event: DeviceEvent) => void

interface Entry {
  device: ManagedDevice
  cancelExpiry: () => void
}

/** The devices that are managed, for as long as their lifetimes last, and who is told what becomes of them. */
export class KnownDevices {
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Map<string | undefined, Set<DeviceListener>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): ManagedDevice | undefined {
    return this.#entries.get(key)?.device
  }

  all(): readonly ManagedDevice[] {
    return [...this.#entries.values()].map(({ device }) => device)
  }

  /** Tells of what happens to one device, or to any; the returned function ends it. */
  watch(listener: DeviceListener, key?: string): () => void {
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key)
    }
  }

  /** Those that were managed before this process began; each is dormant until something is heard of it. */
  restore(devices: Iterable<ManagedDevice>): void {
    for (const known of devices) {
      if (this.#entries.has(known.key)) continue
      const isMissing = known.isMissing === true || !known.isDormant
      const device = { ...known, observed: [], isMissing, isDormant: true }
      this.#entries.set(known.key, { device, cancelExpiry: () => {} })
    }
  }

  setObserved(key: string, change: (observed: readonly string[]) => readonly string[]): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.device = { ...entry.device, observed: change(entry.device.observed) }
  }

  /** Keeps what became of a device; a value of a wrong form is not kept. */
  change(key: string, by: (device: ManagedDevice) => Result<ManagedDevice, string>): void {
    const entry = this.#entries.get(key)
    const changed = entry && by(entry.device)
    if (changed?.ok) this.keep(changed.value, 'changed')
  }

  keep(device: ManagedDevice, kind: 'managed' | 'changed'): void {
    const entry = this.#entries.get(device.key)
    if (entry === undefined) this.#entries.set(device.key, { device, cancelExpiry: () => {} })
    else entry.device = device
    this.#tell({ kind, device })
  }

  remove(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.cancelExpiry()
    this.#entries.delete(key)
    this.#tell({ kind: 'unmanaged', device: entry.device })
  }

  /** Whatever a dormant device says, it is there. */
  wake(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined || !entry.device.isDormant) return
    entry.device = { ...entry.device, isDormant: false, isMissing: false }
    this.#tell({ kind: 'awake', device: entry.device })
    this.expireLater(key)
  }

  /** Its lifetime begins anew. */
  expireLater(key: string): void {
    const entry = this.#entries.get(key)
    entry?.cancelExpiry()
    if (entry === undefined || entry.device.lifetimeMs === 0) return
    entry.cancelExpiry = this.#clock.schedule(entry.device.lifetimeMs, () => {
      entry.device = { ...entry.device, isDormant: true }
      this.#tell({ kind: 'dormant', device: entry.device })
    })
  }

  clear(): void {
    for (const { cancelExpiry } of this.#entries.values()) cancelExpiry()
    this.#entries.clear()
  }

  #tell(event: DeviceEvent): void {
    for (const key of [event.device.key, undefined])
      for (const listener of this.#listeners.get(key) ?? []) listener(event)
  }
}
