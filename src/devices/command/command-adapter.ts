import type { DeviceStageName } from '../../bmc/device-faults.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import type { DeviceAdapter, DeviceProblem, OnDevice } from '../device.ts'
import type { ActivationJob, FlashJob, FlashResult, Found } from '../flasher.ts'
import { type CallOptions, Calls } from './calls.ts'
import { readFacts } from './facts.ts'
import { type ImageFile, type ImageFolder, writeImage } from './image-file.ts'
import { keptOf } from './left-program.ts'
import { codeOf } from './program.ts'
import { type CommandProblem, kindsOfDevices, kindsOfStages, readNothing, readVersion } from './reports.ts'

export interface CommandOptions extends CallOptions {
  /** Where images are while the program takes them. */
  readonly images: ImageFolder
}

/** Reaches devices by an executable of the user's: it is called once for each thing that is asked of a device. */
export function createCommandAdapter(options: CommandOptions): DeviceAdapter {
  const { clock, images } = options
  const calls = new Calls(options)
  const taken = new Set<string>()
  /** What was found to run already. */
  const running = new Set<string>()
  return {
    look: async (device, signal) => ofDevice(await calls.ask('look', device, { good: readFacts, signal })),
    reset: async (device, { of, type }, signal) => {
      const input = { resetOf: of, resetType: type }
      const result = await calls.ask('reset', device, { input, good: readNothing, signal })
      return ofDevice(result.ok ? succeed(undefined) : result)
    },
    transfer: async (job) => {
      taken.delete(keyOf(job))
      const { signal: asked } = job
      const written = await calls.untilClosed(asked, (signal) => writtenImage(options, job, signal))
      if (!written.ok) return ofStage(job, written)
      try {
        const input = { image: written.value.path, ...factsOf(job) }
        const result = await calls.stage('transfer', job, { input, good: readNothing })
        if (result.ok) taken.add(keyOf(job))
        return ofStage(job, result)
      } finally {
        await clock.io(written.value.remove())
      }
    },
    verify: async (job) => {
      job.signal.throwIfAborted()
      if (!taken.has(keyOf(job))) return fail({ kind: 'corrupt' })
      const result = await calls.stage('verify', job, { input: factsOf(job), good: readNothing })
      if (!result.ok) taken.delete(keyOf(job))
      return ofStage(job, result)
    },
    install: async (job) => {
      job.signal.throwIfAborted()
      if (!taken.delete(keyOf(job))) return fail({ kind: 'nothing-installed' })
      return ofStage(job, await calls.stage('install', job, { input: factsOf(job), good: readNothing }))
    },
    activate: async (job) => {
      if (running.delete(keyOf(job))) return succeed({ version: job.version })
      return activate(calls, job)
    },
    inquire: async (job, at) => {
      const found = await findOut(calls, job, at)
      if (found !== 'runs') return found
      running.add(keyOf(job))
      return succeed(at)
    },
    release: (job) => {
      taken.delete(keyOf(job))
      running.delete(keyOf(job))
    },
    close: async () => {
      await calls.close()
      await images.remove()
    },
  }
}

function keyOf({ bmcId, component }: Pick<FlashJob, 'bmcId' | 'component'>): string {
  return `${bmcId}/${component.id}`
}

function factsOf({ image: { sizeBytes, sha256 } }: FlashJob): JsonObject {
  return { sizeBytes, sha256 }
}

async function activate(calls: Calls, job: ActivationJob & OnDevice): Promise<FlashResult> {
  const result = await calls.stage('activate', job, { good: readVersion })
  if (!result.ok) return ofStage(job, result)
  const { version } = result.value
  return succeed(version === undefined ? undefined : { version })
}

/** What came of a stage whose console died; `runs`: the image runs already. Nobody heard more than that. */
async function findOut(
  calls: Calls,
  job: ActivationJob & OnDevice,
  at: DeviceStageName,
): Promise<Found | 'runs'> {
  const isUntouched = at === 'transfer' || at === 'verify'
  const left = await calls.outlast(job, isUntouched)
  if (!left.ok) return fail({ kind: 'failed' })
  const last = keptOf(job.memo)?.stage
  const isBegun = last === undefined || last === at
  if (isUntouched || !isBegun) return succeed(at === 'activate' ? at : 'nothing')
  return at === 'activate' && (await isActivated(calls, job)) ? 'runs' : fail({ kind: 'failed' })
}

/** Whether a device runs the version of the image, and ran another before. */
async function isActivated(calls: Calls, job: ActivationJob & OnDevice): Promise<boolean> {
  const { device, firmware, component, version, signal } = job
  if (version === '' || component.now.version === version) return false
  const seen = await calls.ask('look', device, { good: readFacts, signal })
  return seen.ok && seen.value.firmware.some((one) => one.id === firmware.id && one.version === version)
}

async function writtenImage(
  { clock, images }: CommandOptions,
  { image }: FlashJob,
  signal: AbortSignal,
): Promise<Result<ImageFile, CommandProblem>> {
  signal.throwIfAborted()
  try {
    return succeed(await clock.io(writeImage(images, image, signal)))
  } catch (error) {
    signal.throwIfAborted()
    const code = codeOf(error)
    if (code === undefined) throw error
    return fail({ kind: 'failed', detail: `the image could not be written to a file: ${code}` })
  }
}

function ofDevice<T>(result: Result<T, CommandProblem>): Result<T, DeviceProblem> {
  if (result.ok) return result
  const { kind, detail } = result.problem
  const known = kindsOfDevices.find((one) => one === kind)
  return fail({ kind: known ?? 'failed', detail })
}

function ofStage<T>(job: ActivationJob & OnDevice, result: Result<T, CommandProblem>): FlashResult {
  if (result.ok) return succeed(undefined)
  const { kind, detail } = result.problem
  const known = kindsOfStages.find((one) => one === kind)
  if (known !== undefined) return fail({ kind: known })
  return fail({ kind: 'failed', why: [message('Redflash.DeviceFailed', job.component.uri, detail)] })
}
