import type { Bmc } from '../bmc/bmc.ts'
import type { DeviceAdapter, DeviceAddress, DeviceFacts, DeviceProblem, OnDevice } from '../devices/device.ts'
import type {
  ActivationJob,
  Flasher,
  FlashJob,
  FlashProblem,
  FlashResult,
  Inquiry,
} from '../devices/flasher.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { message } from '../redfish/messages/message.ts'
import { type Method, methodOf } from './method.ts'
import { checked } from './version-check.ts'

export interface ErrandsOptions {
  readonly clock: Clock
  readonly methods: readonly Method[]
  readonly bmcOf: (id: string) => Bmc | undefined
  readonly look: (
    adapter: DeviceAdapter,
    device: DeviceAddress,
    signal: AbortSignal,
  ) => Promise<Result<DeviceFacts, DeviceProblem>>
  /** All that was to be done to a device is, well or not: it may be another now. */
  readonly done: (bmc: Bmc, device: string) => void
}

/** Which device's work it is. */
type Whose = Pick<FlashJob, 'bmcId' | 'component'>

/** Who does a job, and on what. */
interface Errand {
  readonly whose: Whose
  readonly adapter: DeviceAdapter
  readonly on: OnDevice
  /** Aborted when the device is managed no more. */
  readonly detached: AbortController
  /** Whether the adapter is at it just now. */
  isBusy: boolean
}

/** What is done on a device, by its adapter. */
type Work<T> = (
  adapter: DeviceAdapter,
  on: OnDevice & Pick<ActivationJob, 'signal'>,
) => Promise<Result<T, FlashProblem>>

/** Gives every job to the adapter of its device. */
export class Errands implements Flasher {
  readonly #options: ErrandsOptions
  /** What has begun, by BMC and component: it ends where it began, whatever clients change meanwhile. */
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

  async install(job: FlashJob): Promise<FlashResult> {
    let isInstalled = false
    try {
      const result = await this.#do(job, (adapter, on) => adapter.install({ ...job, ...on }))
      isInstalled = result.ok
      return result
    } finally {
      if (!isInstalled) this.#done(job)
    }
  }

  async activate(job: ActivationJob): Promise<FlashResult> {
    try {
      const activated = await this.#do(job, (adapter, on) => adapter.activate({ ...job, ...on }))
      const { clock, look } = this.#options
      const result = await this.#on(job, (adapter, on) =>
        checked(activated, { ...job, ...on }, { clock, look: (...asked) => look(adapter, ...asked) }),
      )
      this.#begun.delete(keyOf(job))
      return result
    } finally {
      this.#done(job)
    }
  }

  inquiry(whose: Whose): Inquiry | undefined {
    return this.#asking(whose, 'inquire')
  }

  withdrawal(whose: Whose): Inquiry | undefined {
    return this.#asking(whose, 'withdraw')
  }

  release(job: Whose): void {
    const errand = this.#errandOf(job)
    this.#begun.delete(keyOf(job))
    errand?.adapter.release({ ...job, ...errand.on })
  }

  /** A device is managed no more: what is done to it ends, and what was begun and waits is let go of. */
  detached(bmc: Bmc, device: string): void {
    for (const { whose, detached, isBusy } of this.#begun.values()) {
      if (whose.bmcId !== bmc.id || whose.component.on?.device !== device) continue
      detached.abort(new Error('detached'))
      if (!isBusy) this.release(whose)
    }
  }

  #asking(whose: Whose, how: 'inquire' | 'withdraw'): Inquiry | undefined {
    if (this.#errandOf(whose)?.adapter[how] === undefined) return undefined
    return (job, at) =>
      this.#do(job, async (adapter, on) => (await adapter[how]?.({ ...job, ...on }, at)) ?? succeed(at))
  }

  #done({ bmcId, component }: Whose): void {
    const bmc = this.#options.bmcOf(bmcId)
    if (bmc && component.on) this.#options.done(bmc, component.on.device)
  }

  #do<T>(job: ActivationJob, run: Work<T>): Promise<Result<T, FlashProblem>> {
    return this.#on(job, (adapter, on) => this.#options.clock.io(run(adapter, on)))
  }

  async #on<T>(job: ActivationJob, run: Work<T>): Promise<Result<T, FlashProblem>> {
    const errand = this.#errandOf(job)
    if (errand === undefined || errand.detached.signal.aborted) return goneFrom(job)
    this.#begun.set(keyOf(job), errand)
    const { adapter, on, detached } = errand
    errand.isBusy = true
    try {
      const signal = AbortSignal.any([job.signal, detached.signal])
      return await run(adapter, { ...on, signal })
    } catch (error) {
      if (job.signal.aborted || !detached.signal.aborted) throw error
      return goneFrom(job)
    } finally {
      errand.isBusy = false
    }
  }

  /** What has begun, or the device that a job is for as it is now. */
  #errandOf({ bmcId, component }: Whose): Errand | undefined {
    const begun = this.#begun.get(keyOf({ bmcId, component }))
    if (begun !== undefined) return begun
    const { bmcOf, methods } = this.#options
    const device = bmcOf(bmcId)?.state.devices.get(component.on?.device ?? '')
    const firmware = device?.facts.firmware.find(({ id }) => id === component.on?.firmware)
    const method = device && methodOf(methods, device)
    if (device === undefined || firmware === undefined || method === undefined) return undefined
    return {
      whose: { bmcId, component },
      adapter: method.adapter,
      on: { device: device.address, firmware },
      detached: new AbortController(),
      isBusy: false,
    }
  }
}

function goneFrom({ component }: Whose): Result<never, FlashProblem> {
  return fail({ kind: 'failed', why: [message('Redflash.DeviceDetached', component.uri)] })
}

function keyOf({ bmcId, component }: Whose): string {
  return `${bmcId} ${component.id}`
}
