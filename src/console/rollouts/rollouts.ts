import type { Actor } from '../../bmc/actor.ts'
import type { Bmc, Listener } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { nextNumber } from '../../bmc/numbers.ts'
import type { Change } from '../../bmc/state.ts'
import { readKept } from '../../image/kept.ts'
import type { ReceivedImage } from '../../image/receive.ts'
import type { Spool } from '../../image/spool/spool.ts'
import { Background } from '../../lib/background.ts'
import type { Clock } from '../../lib/clock.ts'
import { ofEach } from '../../lib/of-each.ts'
import { fail } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import type { Changes, LiveRollout } from '../../rollout/live.ts'
import { Occupancy } from '../../rollout/occupancy.ts'
import { RolloutRun } from '../../rollout/run.ts'
import { newRollout } from '../../rollout/new-rollout.ts'
import type { JobEngine } from '../../tasks/job-engine.ts'
import type { Ending, WorkHandle } from '../../tasks/work.ts'
import type { VerifiedPlan } from '../../update/plan.ts'
import { recorded } from '../../update/record.ts'
import { movedTo, type RollOuts } from '../../update/run.ts'
import { onArrival } from './arrivals.ts'
import { add, type Asking, cancel, move, redo } from './asking.ts'
import { type Carried, hear, makeRoom } from './carried.ts'
import { Flashing, type FlashTools } from './flashing.ts'
import { foretell } from './foretold.ts'
import { jobsAfter, placeSteps, type Projected } from './projection.ts'
import { type Asked, changedParts, keptOf, type KeptRollout, keptRollouts, newParts } from './record.ts'
import type { Redo } from './redoing.ts'
import type { Refusal } from './refusal.ts'
import { choose, planOf } from './selection.ts'
import { loggedOf } from './trail.ts'
import type { RolloutMove } from './wishes.ts'

export interface RolloutOptions extends FlashTools {
  readonly clock: Clock
  readonly spool: Spool
  readonly jobs: JobEngine
  readonly maxImageBytes: number
  /** Told of bugs. */
  readonly failed: (error: unknown) => void
}

const failed: Ending = { state: 'Exception', status: 500 }
/** Its job is there still. */
const gone: Refusal = { kind: 'not-now', why: [message('Base.ResourceInUse')] }

/** The roll-outs of a console: each is shown as a job, and so is each of its waves. */
export class Rollouts implements RollOuts {
  readonly #options: RolloutOptions
  readonly #background: Background
  readonly #carried = ofEach<Bmc, Map<string, Carried>>(() => new Map())
  readonly #flashing = new Map<Bmc, Flashing>()
  readonly #occupancy = ofEach<Bmc, Occupancy>(() => new Occupancy())

  constructor(options: RolloutOptions) {
    this.#options = options
    this.#background = new Background(options.failed)
  }

  /** Begins a roll-out of an image that was verified; what becomes of it its job tells. */
  begin(plan: VerifiedPlan, task: WorkHandle): Ending {
    const { bmc, image, request } = plan
    const { jobs, clock } = this.#options
    const rollOut = planOf(request)
    const { selection } = choose(bmc, { image, plan: rollOut, force: request.force })
    if (selection.chosen.length + selection.skipped.length === 0) {
      task.report({ messages: [message('Update.NoTargetsDetermined', image.fileName)] })
      return { ...failed, status: 400 }
    }
    if (!jobs.hasRoom(bmc)) {
      task.report({ messages: [message('Base.CreateLimitReachedForResource')] })
      return { ...failed, status: 503 }
    }
    const id = String(nextNumber(bmc, 'jobs'))
    const base = { id, plan: rollOut, createdAt: clock.now(), image: image.fileName }
    const record = newRollout({ ...base, selection })
    const asked: Asked = {
      base,
      actor: task.cause.actor ?? { username: undefined, address: '' },
      targetUri: bmc.state.tasks.get(String(task.cause.group))?.payload.targetUri ?? '',
      force: request.force,
      sha256: image.sha256,
      group: task.cause.group ?? 0,
    }
    const own = { ...image, spooled: image.spooled.share() }
    const carried = this.#carry(bmc, { asked, record, image: undefined }, own)
    const all: Changes = record
    const shown = jobsAfter(carried, all)
    const made = jobs.making(bmc)
    const ending = movedTo(id, task, {
      ...recorded(bmc, task, { job: id }),
      rollouts: [...(made.rollouts ?? []), ...newParts(asked, record, keptOf(own))],
      jobs: [...(made.jobs ?? []), ...shown],
    })
    hear(carried, { kind: 'Begin' })
    return ending
  }

  preview(plan: VerifiedPlan, task: WorkHandle): Ending {
    return foretell(plan, task, this.#options.clock)
  }

  /** The roll-outs that are shown, by the Ids of their jobs. */
  shown(bmc: Bmc): ReadonlyMap<string, Pick<Projected, 'live'>> {
    return this.#carried(bmc)
  }

  /** Makes of a job of a roll-out what a client wants; false where it does nothing of the kind now. */
  async move(bmc: Bmc, key: string, asking: Asking<RolloutMove>): Promise<boolean> {
    const carried = this.#find(bmc, bmc.state.jobs.get(key)?.rollout)
    return carried !== undefined && move(carried, key, asking)
  }

  /** Tells it to end; false where it has ended, or is to already. */
  cancel(bmc: Bmc, id: string, by?: Actor): boolean {
    const carried = this.#find(bmc, id)
    return carried !== undefined && cancel(carried, id, by)
  }

  /** Does once more what failed, or undoes what was done; or tells why it does not. */
  async redo(bmc: Bmc, id: string, asking: Asking<Redo>): ReturnType<typeof redo> {
    const carried = this.#find(bmc, id)
    return carried === undefined ? fail(gone) : redo(carried, asking)
  }

  /** Adds devices to a roll-out that goes on: what is to be told of those that do not join it, or why nobody does. */
  async add(bmc: Bmc, id: string, asking: Asking<readonly string[]>): ReturnType<typeof add> {
    const carried = this.#find(bmc, id)
    return carried === undefined ? fail(gone) : add(carried, asking)
  }

  /** Goes on with what an earlier run of the service left under way. */
  async takeUp(bmc: Bmc): Promise<void> {
    const all = keptRollouts(bmc)
    // What has ended meanwhile is to be heard of before it gives way.
    this.#flashingOf(bmc)
    for (const one of all) {
      const carried = this.#carry(bmc, one, await this.#imageOf(bmc, one))
      hear(carried, { kind: 'Restarted' })
      if (one.record.head.state === 'New') hear(carried, { kind: 'Begin' })
    }
  }

  /** Ends all that is done for a BMC that is gone. */
  async forget(bmc: Bmc): Promise<void> {
    this.#flashing.get(bmc)?.close()
    this.#flashing.delete(bmc)
    const all = [...this.#carried(bmc).values()]
    this.#carried(bmc).clear()
    await Promise.all(all.map(({ run }) => run.close()))
    for (const { image } of all) void image?.spooled.discard()
  }

  async close(): Promise<void> {
    for (const flashing of this.#flashing.values()) flashing.close()
    const all = [...this.#flashing.keys()].flatMap((bmc) => [...this.#carried(bmc).values()])
    await Promise.all(all.map(({ run }) => run.close()))
    await this.#background.close()
  }

  #find(bmc: Bmc, id = ''): Carried | undefined {
    return this.#carried(bmc).get(id)
  }

  async #imageOf(bmc: Bmc, { image }: KeptRollout): Promise<ReceivedImage | undefined> {
    const { spool } = this.#options
    const reading = { ...this.#options, rawRules: bmc.machine.rawRules }
    return image && readKept(spool, image, reading)
  }

  #carry(bmc: Bmc, { asked, record }: KeptRollout, image: ReceivedImage | undefined): Carried {
    const { clock } = this.#options
    const { id } = record
    const waveIds = bmc.state.jobs.get(id)?.waveJobs?.map((wave) => wave.id) ?? []
    const flash = this.#flashingOf(bmc).portOf({ asked, image: () => carried.image })
    const run = new RolloutRun(record, {
      clock,
      background: this.#background,
      store: (_id, changes) => this.#store(carried, changes),
      flash,
      occupancy: this.#occupancy(bmc),
    })
    const carried: Carried = { bmc, asked, run, live: run.live, waveIds, steps: new Map(), image }
    this.#place(carried)
    this.#carried(bmc).set(id, carried)
    return carried
  }

  /** Gives new waves their jobs, and new devices their steps. */
  #place(carried: Carried): void {
    const { bmc, live, waveIds, steps } = carried
    while (waveIds.length < live.waves.length) waveIds.push(String(nextNumber(bmc, 'jobs')))
    placeSteps(carried, steps)
  }

  #flashingOf(bmc: Bmc): Flashing {
    const known = this.#flashing.get(bmc)
    if (known !== undefined) return known
    const flashing = new Flashing(bmc, this.#options)
    this.#flashing.set(bmc, flashing)
    bmc.listeners.add(this.#removalsOf(bmc))
    bmc.listeners.add(onArrival(this.#options.clock, () => this.#carried(bmc).values()))
    return flashing
  }

  /** A roll-out goes with its job. */
  #removalsOf(bmc: Bmc): Listener {
    return ({ jobs = [] }) => {
      for (const [key, job] of jobs) {
        const carried = job === undefined ? this.#carried(bmc).get(key) : undefined
        if (carried !== undefined) {
          this.#carried(bmc).delete(key)
          this.#background.start(() => carried.run.close())
          this.#release(carried)
        }
      }
    }
  }

  /** What has changed, and the jobs that show it, are one commit. */
  #store(carried: Carried, changes: Changes): Promise<void> {
    const { bmc, live, image } = carried
    // Nothing is left to show it, or to do it with.
    if (this.#carried(bmc).get(live.base.id) !== carried) return Promise.resolve()
    this.#place(carried)
    const isNeeded = needsImage(live)
    const jobs = jobsAfter(carried, changes)
    const parts = changedParts(live.base.id, changes, isNeeded && image ? keptOf(image) : undefined)
    const change: Change = { rollouts: parts, jobs, ...loggedOf(carried, changes, jobs) }
    commit(bmc, change)
    if (!isNeeded) this.#release(carried)
    makeRoom(this.#carried(bmc).values(), carried, changes)
    return Promise.resolve()
  }

  /** A turn later: it must be there for as long as a commit says that it is needed. */
  #release(carried: Carried): void {
    const { image } = carried
    carried.image = undefined
    if (image !== undefined) this.#options.clock.schedule(0, () => void image.spooled.discard())
  }
}

/** As long as it goes on, and afterwards for those that may be tried again. */
function needsImage({ head, all }: LiveRollout): boolean {
  return head.endedAt === undefined || all.failed > 0
}
