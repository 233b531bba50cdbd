import { fail, succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import type { FlashResult } from '../flasher.ts'
import {
  type Activation,
  awaitVersion,
  bootImage,
  followBoot,
  type Job,
  Refused,
  type StagesOptions,
} from './boot-update.ts'
import { Offers } from './offers.ts'
import { problemOf } from './problems.ts'
import { SharedBoots } from './shared-boots.ts'

/** Updates of devices, by a boot that fetches the image and installs it. */
export function createStages(options: StagesOptions) {
  const { clock, patience } = options
  /** What was seen to be installed, by component: of anything else only the version will tell. */
  const installed = new Set<string>()
  const keyOf = ({ bmcId, component }: Pick<Job, 'bmcId' | 'component'>): string => `${bmcId}/${component.id}`
  const offers = new Offers(options.publish)
  const boots = new SharedBoots(clock)

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
    const { device, component, package: image, signal } = job
    signal.throwIfAborted()
    const offer = offers.of(job)
    if (offer === undefined) return fail({ kind: 'nothing-installed' })
    const wanted = { device: device.hostName, component: component.id, sha256: image.sha256, signal }
    return outcomeOf(job, async () => {
      try {
        await boots.run(wanted, async () => {
          await bootImage(options, job, offer)
          await followBoot(options, job, offer)
        })
        installed.add(keyOf(job))
        job.progress(1)
        return undefined
      } finally {
        offers.remove(job)
      }
    })
  }

  /** The device has done it already, and only tells; or is at it still, where it was begun before a restart of ours. */
  const activate = (job: Activation): Promise<FlashResult> =>
    outcomeOf(job, async () => {
      const versionMs = installed.delete(keyOf(job)) ? patience.versionMs : patience.installMs
      const version = await awaitVersion({ ...options, patience: { ...patience, versionMs } }, job)
      job.progress(1)
      return version === job.version ? undefined : { version }
    })

  return {
    transfer,
    verify,
    install,
    activate,
    goesOnAlone: true,
    release: (job: Pick<Job, 'bmcId' | 'component'>): void => {
      installed.delete(keyOf(job))
      offers.remove(job)
    },
    close: (): void => offers.close(),
  }
}

/** What came of a stage; why a device did not do it is told. */
async function outcomeOf(
  { signal, component }: Activation,
  work: () => Promise<{ readonly version: string } | undefined>,
): Promise<FlashResult> {
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
