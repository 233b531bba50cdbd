import type { Seen } from '../../client/follow.ts'
import type { DeviceStageName } from '../../bmc/device-faults.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import type { OnDevice } from '../device.ts'
import type { ActivationJob, FlashJob, FlashProblem, FlashResult, Found } from '../flasher.ts'
import { type Activating, beginActivation, readItem, seeThrough, settle } from './activation.ts'
import { type Connection, patienceOf, type Published, type RedfishOptions, withDevice } from './connection.ts'
import {
  type Course,
  courseAt,
  courseOf,
  follow,
  hasTold,
  isOver,
  isPreparing,
  isWaiting,
  rankOf,
  verdictOf,
} from './course.ts'
import { itemOf } from './facts.ts'
import { findOut, keep, keptOf, tasksOf } from './inquiry.ts'
import { sendImage } from './sending.ts'
import { failure, flashProblem, StageError } from './stage-error.ts'
import { withdraw } from './withdrawal.ts'

type Job = FlashJob & OnDevice
type Activation = ActivationJob & OnDevice

/** An update that a device is at. */
interface Run {
  readonly course: Course
  readonly published: Published | undefined
}

/** The stages of updates on devices, each with a connection of its own: what a device is at goes on without us. */
export class Stages {
  readonly #options: RedfishOptions
  readonly #runs = new Map<string, Run>()

  constructor(options: RedfishOptions) {
    this.#options = options
  }

  transfer(job: Job): Promise<FlashResult> {
    return this.#stage(job, patienceOf(this.#options).beginMs, async (connection, progress) => {
      this.#forget(job)
      const target = itemOf(job.firmware)
      let published: Published | undefined
      let fetchedBytes = 0
      const { package: image } = job
      const counted: typeof image = {
        ...image,
        read: (start = 0, end) => counting(image.read(start, end), (bytes) => (fetchedBytes = start + bytes)),
      }
      const { publish } = this.#options
      keep(job.memo, { tasks: await tasksOf(connection) })
      try {
        const seen = await sendImage(connection, {
          target,
          image: { ...image, sent: (bytes) => progress(bytes / image.sizeBytes) },
          publish: publish && (async () => (published ??= await publish(counted, job.device)).uri),
        })
        keep(job.memo, { isAccepted: true, path: seen.path, isFetched: published !== undefined })
        const course = await this.#fetched(connection, seen, {
          target,
          published,
          progress,
          isRead: () => fetchedBytes / image.sizeBytes,
        })
        this.#runs.set(keyOf(job), { course, published })
        published = undefined
      } finally {
        published?.done()
      }
      return undefined
    })
  }

  verify(job: Job): Promise<FlashResult> {
    const isThere = (course: Course): boolean => isOver(course) || isWaiting(course) || !isPreparing(course)
    return this.#followed(job, { isThere, isLater: (course) => rankOf(course) > 2, missing: 'corrupt' })
  }

  install(job: Job): Promise<FlashResult> {
    const isThere = (course: Course): boolean => isOver(course) || isWaiting(course) || rankOf(course) > 3
    const isLater = (course: Course): boolean => hasTold(course, 'ActivateFailed')
    return this.#followed(job, { isThere, isLater, missing: 'nothing-installed' })
  }

  activate(job: Activation): Promise<FlashResult> {
    const { awayMs } = patienceOf(this.#options)
    const { firmware, version } = job
    return this.#stage(job, awayMs, async (connection, progress) => {
      const target = itemOf(firmware)
      const { path, resets = [] } = keptOf(job.memo)
      const performed = (reset: string): void => {
        const now = keptOf(job.memo)
        keep(job.memo, { ...now, resets: [...(now.resets ?? []), reset] })
      }
      const activating: Activating = { firmware, target, version, progress, resets, performed }
      const known = this.#runs.get(keyOf(job))?.course
      const from =
        known ??
        (path === undefined
          ? await standbyCourse(connection, job, activating)
          : await courseAt(connection, target, path))
      if (!from || (from.isGone && known === undefined))
        return { version: await activateUnknown(connection, activating) }
      const { course, wasReset } = await seeThrough(connection, from, activating)
      const verdict = verdictOf(course)
      this.#forget(job)
      if (verdict === 'bad') throw failure(job, course)
      const told = hasTold(course, 'UpdateSuccessful') ? 'success' : verdict === 'good' ? 'end' : 'nothing'
      return { version: await settle(connection, activating, { told, wasReset }) }
    })
  }

  /** What came of an update that was under way when another life of ours ended: it is followed from there. */
  inquire(job: Activation, at: DeviceStageName): Promise<Found> {
    return this.#stage(job, patienceOf(this.#options).awayMs, async (connection) => {
      const found = await findOut(connection, job, at)
      if (found.course) this.#runs.set(keyOf(job), { course: found.course, published: undefined })
      return found.at
    })
  }

  /** An update that is not wanted any more: where its device goes on with it all the same, it is followed from there. */
  withdraw(job: Activation, at: DeviceStageName): Promise<Found> {
    const { awayMs } = patienceOf(this.#options)
    const isAccepted = keptOf(job.memo).isAccepted === true
    return this.#stage(job, isAccepted ? awayMs : 0, async (connection) => {
      const left = await withdraw(connection, job, at)
      this.#forget(job)
      if (left.course) this.#runs.set(keyOf(job), { course: left.course, published: undefined })
      return left.at
    })
  }

  /** What is not over yet of an update that is not wanted any more. */
  release(job: Pick<Activation, 'bmcId' | 'component'>): Seen | undefined {
    const run = this.#forget(job)
    return run === undefined || isOver(run.course) ? undefined : run.course.seen
  }

  close(): void {
    for (const { published } of this.#runs.values()) published?.done()
    this.#runs.clear()
  }

  #forget(job: Pick<Activation, 'bmcId' | 'component'>): Run | undefined {
    const run = this.#runs.get(keyOf(job))
    this.#runs.delete(keyOf(job))
    run?.published?.done()
    return run
  }

  /** Where it fetches the image itself, it has it when it has read it, or is at something else already. */
  async #fetched(
    connection: Connection,
    seen: Seen,
    { target, published, progress, isRead }: Fetching,
  ): Promise<Course> {
    const course = courseOf(target, seen)
    if (published === undefined) return course
    const isThere = (one: Course): boolean => {
      progress(Math.min(isRead(), 1))
      return isRead() >= 1 || isOver(one) || isWaiting(one) || rankOf(one) > 1
    }
    return follow(connection, course, { isThere, progress: () => {} })
  }

  #followed(job: Job, { isThere, isLater, missing }: Following): Promise<FlashResult> {
    return this.#stage(job, patienceOf(this.#options).awayMs, async (connection, progress) => {
      const run = this.#runs.get(keyOf(job))
      if (run === undefined) throw new StageError({ kind: missing })
      const course = await follow(connection, run.course, { isThere, progress })
      this.#runs.set(keyOf(job), { ...run, course })
      const isBad = isOver(course) && verdictOf(course) === 'bad'
      if (isBad && !isLater(course)) throw failure(job, course)
      return undefined
    })
  }

  async #stage<T>(
    job: Activation,
    awayMs: number,
    work: (connection: Connection, progress: (share: number) => void) => Promise<T>,
  ): Promise<Result<T, FlashProblem>> {
    const { device, signal } = job
    try {
      signal.throwIfAborted()
      const progress = rising(job.progress)
      const value = await withDevice(this.#options, { device, signal, awayMs }, (connection) =>
        work(connection, progress),
      )
      progress(1)
      return succeed(value)
    } catch (error) {
      signal.throwIfAborted()
      return fail(flashProblem(job, error))
    }
  }
}

interface Fetching {
  readonly target: string
  readonly published: Published | undefined
  readonly progress: (share: number) => void
  readonly isRead: () => number
}

interface Following {
  readonly isThere: (course: Course) => boolean
  /** Whether a bad end is that of a later stage. */
  readonly isLater: (course: Course) => boolean
  /** What it means that nothing is known of the update. */
  readonly missing: 'corrupt' | 'nothing-installed'
}

/** The course of what stands by on the device, where that is to run. */
async function standbyCourse(
  connection: Connection,
  { memo }: Activation,
  activating: Activating,
): Promise<Course | undefined> {
  const seen = await beginActivation(connection, activating)
  if (seen === undefined) return undefined
  keep(memo, { isAccepted: true, path: seen.path })
  return courseOf(activating.target, seen)
}

/** After a restart of ours: only the inventory tells what is left of it, and not every device says there that it is busy. */
async function activateUnknown(connection: Connection, activating: Activating): Promise<string> {
  const item = await readItem(connection, activating.target)
  const wasPending = item === undefined || item.isBusy || item.conditions.length > 0
  const version = await settle(connection, activating, {
    told: 'nothing',
    wasReset: activating.resets.length > 0,
  })
  if (!wasPending && version !== activating.version) throw new StageError({ kind: 'nothing-installed' })
  return version
}

function keyOf({ bmcId, component }: Pick<Activation, 'bmcId' | 'component'>): string {
  return `${bmcId}/${component.id}`
}

/** Tells only what is more than was told before: what is sent again begins anew. */
function rising(progress: (share: number) => void): (share: number) => void {
  let told = 0
  return (share) => {
    if (share > told) progress((told = share))
  }
}

async function* counting(
  chunks: AsyncIterable<Uint8Array>,
  taken: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  let bytes = 0
  for await (const chunk of chunks) {
    yield chunk
    taken((bytes += chunk.byteLength))
  }
}
