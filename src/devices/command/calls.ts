import type { Clock } from '../../lib/clock.ts'
import { type Result, succeed } from '../../lib/result.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import type { DeviceStageName } from '../../bmc/device-faults.ts'
import type { DeviceAddress, OnDevice } from '../device.ts'
import type { ActivationJob } from '../flasher.ts'
import { UnderWay } from '../under-way.ts'
import { keep, keptOf, outlast } from './left-program.ts'
import type { ProgramOptions } from './program.ts'
import type { CommandProblem, Reader } from './reports.ts'
import { runCommand } from './run-command.ts'

export interface CallOptions {
  readonly clock: Clock
  /** The path of the executable. */
  readonly program: string
  /** Told what it says to people. */
  readonly log?: { info(facts: object, text: string): void } | undefined
  readonly patience?: Partial<Patience>
}

/** How long a program may say nothing, in milliseconds. */
interface Patience {
  /** While it looks at a device, or resets it. */
  readonly askMs: number
  /** During a stage of an update. */
  readonly stageMs: number
}

/** What is asked beside who is asked. */
interface Asked<T> {
  readonly input?: JsonObject
  readonly good: Reader<T>
}

interface Watched {
  readonly signal: AbortSignal
  /** Of a stage. */
  readonly progress?: (share: number) => void
  readonly started?: ProgramOptions['started']
}

const ordinary: Patience = { askMs: 60_000, stageMs: 1_800_000 }
const closed: CommandProblem = { kind: 'failed', detail: 'the service ends' }

/** The calls of a program that are under way. */
export class Calls {
  readonly #options: CallOptions
  readonly #patience: Patience
  readonly #underWay = new UnderWay()

  constructor(options: CallOptions) {
    this.#options = options
    this.#patience = { ...ordinary, ...options.patience }
  }

  ask<T>(
    operation: 'look' | 'reset',
    device: DeviceAddress,
    asked: Asked<T> & Pick<Watched, 'signal'>,
  ): Promise<Result<T, CommandProblem>> {
    return this.untilClosed(asked.signal, (signal) => this.#call(operation, device, { ...asked, signal }))
  }

  stage<T>(
    operation: DeviceStageName,
    job: ActivationJob & OnDevice,
    { input, good }: Asked<T>,
  ): Promise<Result<T, CommandProblem>> {
    const { firmware, version, device } = job
    const about = { firmwareId: firmware.id, currentVersion: firmware.version, version, ...input }
    const progress = rising(job.progress)
    const started: ProgramOptions['started'] = (mark) => keep(job.memo, operation, mark)
    return this.untilClosed(job.signal, async (signal) => {
      const result = await this.#call(operation, device, { input: about, good, signal, progress, started })
      if (result.ok) progress(1)
      return result
    })
  }

  /** Waits until nothing runs any more that another life of ours has called for this update. */
  async outlast(job: ActivationJob, isUntouched: boolean): Promise<Result<void, CommandProblem>> {
    const { clock } = this.#options
    const mark = keptOf(job.memo)?.mark
    const patienceMs = isUntouched ? 0 : this.#patience.stageMs
    return this.untilClosed(job.signal, async (signal) => {
      if (mark !== undefined) await outlast(mark, { clock, patienceMs, signal })
      return succeed(undefined)
    })
  }

  /** What `work` comes to; what is under way when all is closed ends as well. */
  untilClosed<T>(
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result<T, CommandProblem>>,
  ): Promise<Result<T, CommandProblem>> {
    return this.#underWay.run(signal, work, closed)
  }

  close(): Promise<void> {
    return this.#underWay.close()
  }

  #call<T>(
    operation: string,
    { hostName: target, userName, password }: DeviceAddress,
    { input, good, signal, progress, started }: Asked<T> & Watched,
  ): Promise<Result<T, CommandProblem>> {
    const { clock, program: path, log } = this.#options
    const { askMs, stageMs } = this.#patience
    return runCommand(clock, {
      path,
      args: [operation, target],
      input: { userName, password, ...input },
      secret: password,
      good,
      signal,
      silenceMs: progress === undefined ? askMs : stageMs,
      progress: progress ?? (() => {}),
      started,
      said: (text) => log?.info({ operation, target, text }, 'the device command says'),
    })
  }
}

/** Tells only what is more than was told before. */
function rising(progress: (share: number) => void): (share: number) => void {
  let told = 0
  return (share) => {
    if (share > told) progress((told = share))
  }
}
