import type { DeviceStageName } from '../bmc/device-faults.ts'
import { textOf } from '../devices/command/facts.ts'
import { readVersion } from '../devices/command/reports.ts'
import type { DeviceAdapter } from '../devices/device.ts'
import type { ActivationJob, FlashProblem, FlashResult, Found } from '../devices/flasher.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { Type } from '../lib/schema.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { isObject } from '../redfish/resource.ts'
import { judge } from '../redfish/validation.ts'

type Stages = Pick<DeviceAdapter, DeviceStageName | 'inquire' | 'withdraw'>
type Other = Exclude<FlashProblem, { readonly kind: 'too-large' }>
type Job = Pick<ActivationJob, 'component' | 'signal'>
/** Reads the value of an answer that is well, or what is wrong with it. */
type Reader<T> = (value: unknown) => Result<T, string>

const MAX_TEXT = 500
const Text = Type.String({ maxLength: 4_096 })

const judgeTooLarge = judge(Type.Object({ capacityBytes: Type.Integer({ minimum: 0 }) }))
const Reason = Type.Object({
  '@odata.type': Text,
  MessageId: Text,
  Message: Text,
  MessageArgs: Type.Array(Text),
  MessageSeverity: Type.Unsafe<Message['MessageSeverity']>({ enum: ['OK', 'Warning', 'Critical'] }),
  Resolution: Text,
})
const judgeOther = judge(
  Type.Unsafe<Other>(
    Type.Object({
      kind: Type.Unsafe<Other['kind']>({ enum: ['no-power', 'corrupt', 'nothing-installed', 'failed'] }),
      why: Type.Optional(Type.Array(Reason)),
    }),
  ),
)
const judgeFound = judge(
  Type.Unsafe<DeviceStageName | 'nothing'>({
    enum: ['transfer', 'verify', 'install', 'activate', 'nothing'],
  }),
)

const readNothing: Reader<undefined> = () => succeed(undefined)
const readRunning: Reader<{ readonly version: string } | undefined> = (value) => {
  if (value === undefined) return succeed(undefined)
  const read = readVersion(value)
  if (!read.ok) return read
  const { version } = read.value
  return succeed(version === undefined ? undefined : { version })
}
const readFound: Reader<DeviceStageName | 'nothing'> = (value) => {
  const judged = judgeFound(value)
  return judged.ok ? judged : fail(textOf(judged.problem))
}

/** The stages of somebody else's code: what they answer is judged, and what they throw is why they failed. */
export function judgedStages(adapter: Stages): Stages {
  const { inquire, withdraw } = adapter
  return {
    transfer: (job) => answerOf('transfer', job, () => adapter.transfer(job), readNothing),
    verify: (job) => answerOf('verify', job, () => adapter.verify(job), readNothing),
    install: (job) => answerOf('install', job, () => adapter.install(job), readNothing),
    activate: (job) => answerOf('activate', job, () => adapter.activate(job), readRunning),
    ...(inquire && {
      inquire: (job, at) => answerOf('inquire', job, () => inquire.call(adapter, job, at), readFound),
    }),
    ...(withdraw && {
      withdraw: (job, at) => answerOf('withdraw', job, () => withdraw.call(adapter, job, at), readFound),
    }),
  }
}

async function answerOf<T>(
  name: keyof Stages,
  job: Job,
  ask: () => Promise<FlashResult | Found>,
  read: Reader<T>,
): Promise<Result<T, FlashProblem>> {
  const failed = (detail: string): Result<T, FlashProblem> =>
    fail({
      kind: 'failed',
      why: [message('Redflash.DeviceFailed', job.component.uri, `${name}: ${detail}`.slice(0, MAX_TEXT))],
    })
  try {
    const answer = readAnswer(await ask(), read)
    return answer.ok ? answer.value : failed(answer.problem)
  } catch (error) {
    job.signal.throwIfAborted()
    return failed(error instanceof Error ? error.message : `it rejects with ${String(error)}`)
  }
}

/** What an answer says, or what is wrong with it. */
function readAnswer<T>(answer: unknown, read: Reader<T>): Result<Result<T, FlashProblem>, string> {
  if (!isObject(answer)) return fail(`it answers ${String(answer)}`)
  const { ok, value, problem } = answer as Readonly<Record<string, unknown>> // nothing is known of its members
  if (ok === true) {
    const good = read(value)
    return good.ok ? succeed(good) : fail(`/value${good.problem}`)
  }
  if (ok !== false) return fail('/ok: expected true or false')
  if (isObject(problem) && problem['kind'] === 'too-large') {
    const large = judgeTooLarge(problem)
    const { capacityBytes = 0 } = large.ok ? large.value : {}
    return large.ok
      ? succeed(fail({ kind: 'too-large', capacityBytes }))
      : fail(`/problem${textOf(large.problem)}`)
  }
  const other = judgeOther(problem)
  return other.ok ? succeed(fail(other.value)) : fail(`/problem${textOf(other.problem)}`)
}
