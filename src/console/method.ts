import type { Bmc } from '../bmc/bmc.ts'
import type { ManagedDevice } from '../bmc/managed-device.ts'
import type { DeviceAdapter } from '../devices/device.ts'

/** A way to reach devices: what a ConnectionMethod shows of it, and how it is done. */
export interface Method {
  readonly id: string
  readonly type: 'Redfish' | 'OEM'
  /** What a ConnectionMethodVariant says: which of the OEM's. */
  readonly variant: string
  readonly adapter: DeviceAdapter
  /** Of devices that come by themselves: tells a console of each that is there, has changed, or is gone, until it is ended. */
  readonly announces?: (told: (announcement: Announcement) => void, bmc: Bmc) => () => void
  /** Of those: knows a device no more that was detached, until it introduces itself anew. */
  readonly forget?: (hostName: string) => void
}

export interface Announcement {
  readonly kind: 'here' | 'gone'
  /** Of the device's address. */
  readonly hostName: string
}

/** What an adapter can but for its abilities, each done by this one: for one that is to differ in some of it. */
export function forwarding(adapter: Omit<DeviceAdapter, 'abilities'>): DeviceAdapter {
  return {
    ...(adapter.placeOf && { placeOf: (hostName) => adapter.placeOf?.(hostName) }),
    look: (device, signal) => adapter.look(device, signal),
    reset: (device, asked, signal) => adapter.reset(device, asked, signal),
    transfer: (job) => adapter.transfer(job),
    verify: (job) => adapter.verify(job),
    install: (job) => adapter.install(job),
    activate: (job) => adapter.activate(job),
    ...(adapter.inquire && { inquire: adapter.inquire.bind(adapter) }),
    ...(adapter.withdraw && { withdraw: adapter.withdraw.bind(adapter) }),
    release: (job) => adapter.release(job),
    close: () => adapter.close(),
  }
}

/** The way by which a device is reached; `undefined`: this console has it no more. */
export function methodOf(methods: readonly Method[], { method }: ManagedDevice): Method | undefined {
  return methods.find(({ id }) => id === method)
}
