import type { DeviceStageName } from '../../bmc/device-faults.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import type { FlashProblem, FlashResult, Found } from '../flasher.ts'
import {
  type Activation,
  awaitVersion,
  bootImage,
  followBoot,
  type Job,
  Refused,
  type StagesOptions,
} from './boot-update.ts'
import { ASKED, LeftBoots } from './left-boots.ts'
import { Offers } from './offers.ts'
import { problemOf } from './problems.ts'
import { SharedBoots } from './shared-boots.ts'

/** Updates of devices, by a boot that fetches the image and installs it. */
export function createStages(options: StagesOptions) {
  const { clock } = options
  const offers = new Offers(options.publish)
  const boots = new SharedBoots(clock)
  const left = new LeftBoots(options, boots)

  /** The image is not sent: the device will fetch it. */
  const transfer = async (job: Job): Promise<FlashResult> => {
    await clock.sleep(0, job.signal)
    if (!(await clock.io(offers.add(job)))) return fail({ kind: 'failed' })
    job.progress(1)
    return succeed(undefined)
  }

  /** Only the device can, when it has it. */
  const verify = async (job: Job): Promise<FlashResult> => {
    await clock.sleep(0, job.signal)
    if (offers.of(job) === undefined) return fail({ kind: 'corrupt' })
    job.progress(1)
    return succeed(undefined)
  }

  const install = async (job: Job): Promise<FlashResult> => {
    const { device, component, package: image, signal, memo } = job
    signal.throwIfAborted()
    const offer = offers.of(job)
    if (offer === undefined) return fail({ kind: 'nothing-installed' })
    const asked = (): void => memo.write(ASKED)
    const wanted = { device: device.hostName, component: component.id, sha256: image.sha256, signal, asked }
    return outcomeOf(job, async () => {
      try {
        await boots.run(wanted, async (asks) => {
          await bootImage(options, job, offer, asks)
          left.begun(device.hostName)
          await followBoot(options, job, offer)
        })
        job.progress(1)
        return undefined
      } finally {
        offers.remove(job)
      }
    })
  }

  /** The device has done it already, and only tells. */
  const activate = (job: Activation): Promise<FlashResult> =>
    outcomeOf(job, async () => {
      const version = await awaitVersion(options, job)
      job.progress(1)
      return version === job.version ? undefined : { version }
    })

  return {
    transfer,
    verify,
    install,
    activate,
    inquire: (job: Activation, at: DeviceStageName): Promise<Found> =>
      outcomeOf(job, () => left.find(job, at)),
    release: (job: Pick<Job, 'bmcId' | 'component'>): void => offers.remove(job),
    close: (): void => offers.close(),
  }
}

/** What came of a stage; why a device did not do it is told. */
async function outcomeOf<T>(
  { signal, component }: Activation,
  work: () => Promise<T>,
): Promise<Result<T, FlashProblem>> {
  try {
    return succeed(await work())
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Refused) return fail({ kind: 'failed', why: [error.why] })
    const problem = problemOf(error)
    if (problem === undefined) throw error
    return fail({ kind: 'failed', why: [message('Redflash.DeviceFailed', component.id, problem.detail)] })
  }
}
