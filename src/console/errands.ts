import type { Bmc } from '../bmc/bmc.ts'
import type { DeviceAdapter, OnDevice } from '../devices/device.ts'
import type { ActivationJob, Flasher, FlashJob, FlashResult } from '../devices/flasher.ts'
import type { Clock } from '../lib/clock.ts'
import { fail } from '../lib/result.ts'
import { message } from '../redfish/messages/message.ts'
import { type Method, methodOf } from './method.ts'

export interface ErrandsOptions {
  readonly clock: Clock
  readonly methods: readonly Method[]
  readonly bmcOf: (id: string) => Bmc | undefined
  /** All that was to be done to a device is: it may be another now. */
  readonly done: (bmc: Bmc, device: string) => void
}

/** Which device's work it is. */
type Whose = Pick<FlashJob, 'bmcId' | 'component'>

/** Who does a job, and on what. */
interface Errand {
  readonly adapter: DeviceAdapter
  readonly on: OnDevice
}

/** Gives every job to the adapter of its device. */
export class Errands implements Flasher {
  readonly #options: ErrandsOptions
  /** Whom a job that has begun is for, by BMC and component: it ends where it began, whatever clients change meanwhile. */
  readonly #begun = new Map<string, Errand>()

  constructor(options: ErrandsOptions) {
    this.#options = options
  }

  transfer(job: FlashJob): Promise<FlashResult> {
    return this.#do(job, (adapter, on) => adapter.transfer({ ...job, ...on }))
  }

  verify(job: FlashJob): Promise<FlashResult> {
    return this.#do(job, (adapter, on) => adapter.verify({ ...job, ...on }))
  }

  install(job: FlashJob): Promise<FlashResult> {
    return this.#do(job, (adapter, on) => adapter.install({ ...job, ...on }))
  }

  async activate(job: ActivationJob): Promise<FlashResult> {
    const result = await this.#do(job, (adapter, on) => adapter.activate({ ...job, ...on }))
    this.#begun.delete(keyOf(job))
    const bmc = this.#options.bmcOf(job.bmcId)
    if (bmc && job.component.on) this.#options.done(bmc, job.component.on.device)
    return result
  }

  release(job: Whose): void {
    const errand = this.#begun.get(keyOf(job)) ?? this.#find(job)
    this.#begun.delete(keyOf(job))
    errand?.adapter.release({ ...job, ...errand.on })
  }

  async #do(
    job: ActivationJob,
    run: (adapter: DeviceAdapter, on: OnDevice) => Promise<FlashResult>,
  ): Promise<FlashResult> {
    const errand = this.#begun.get(keyOf(job)) ?? this.#find(job)
    if (errand === undefined) return detached(job)
    this.#begun.set(keyOf(job), errand)
    return this.#options.clock.io(run(errand.adapter, errand.on))
  }

  /** The device that a job is for, and who does it. */
  #find({ bmcId, component }: Whose): Errand | undefined {
    const { bmcOf, methods } = this.#options
    const device = bmcOf(bmcId)?.state.devices.get(component.on?.device ?? '')
    const firmware = device?.facts.firmware.find(({ id }) => id === component.on?.firmware)
    const method = device && methodOf(methods, device)
    if (device === undefined || firmware === undefined || method === undefined) return undefined
    return { adapter: method.adapter, on: { device: device.address, firmware } }
  }
}

function detached({ component }: Whose): FlashResult {
  const why = [message('Base.ResourceNotFound', 'AggregationSource', component.on?.device ?? '')]
  return fail({ kind: 'failed', why })
}

function keyOf({ bmcId, component }: Whose): string {
  return `${bmcId} ${component.id}`
}
