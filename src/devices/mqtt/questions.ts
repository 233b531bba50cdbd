import { randomUUID } from 'node:crypto'
import { unlessAborted } from '../../lib/abort.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import type { DeviceProblem } from '../device.ts'
import type { Bag } from './attributes.ts'
import type { ManagedDevice } from './managed-device.ts'
import { read, type ResponseMessage } from './messages.ts'

/** Why a device did not do what it was asked for; `rc` where it said so itself. */
export type MqttProblem = DeviceProblem & { readonly rc?: number }

type Answer = Result<ResponseMessage, MqttProblem>

interface QuestionsOptions {
  readonly clock: Clock
  readonly answerMs: number
  /** Resolves to whether it could be said. */
  readonly say: (device: ManagedDevice, path: string, message: object) => Promise<boolean>
}

interface Question {
  readonly key: string
  readonly settle: (answer: Answer) => void
}

export const ANSWER_MS = 30_000

/** What devices were asked and have not answered yet. */
export class Questions {
  readonly #options: QuestionsOptions
  readonly #open = new Map<string, Question>()

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /** What a device answers; a problem where it refuses. */
  async ask(
    device: ManagedDevice,
    { path, d }: { readonly path: string; readonly d?: Bag | undefined },
    signal: AbortSignal,
  ): Promise<Answer> {
    const { clock, answerMs, say } = this.#options
    const { key } = device
    const reqId = randomUUID()
    const { promise, resolve: settle } = Promise.withResolvers<Answer>()
    this.#open.set(reqId, { key, settle })
    const cancelTimer = clock.schedule(answerMs, () =>
      settle(fail({ kind: 'unreachable', detail: `${key} does not answer ${path}` })),
    )
    try {
      const isSaid = await unlessAborted(say(device, path, { ...(d && { d }), reqId }), signal)
      if (!isSaid) return fail({ kind: 'unreachable', detail: `the broker of ${key} is not there` })
      const answered = unlessAborted(promise, signal)
      // A device that is there answers at once: time that a test moves must not overtake it.
      const answer = await (device.isMissing === true ? answered : clock.io(answered))
      return answer.ok ? judged(key, path, answer.value) : answer
    } finally {
      cancelTimer()
      this.#open.delete(reqId)
    }
  }

  /** Takes a device's answer; of a question of another device nobody knows but who was asked. */
  answered(key: string, payload: Uint8Array): void {
    const said = read.response(payload)
    const question = said.ok ? this.#open.get(said.value.reqId) : undefined
    if (said.ok && question?.key === key) question.settle(succeed(said.value))
  }

  /** Nobody waits any more. */
  close(): void {
    for (const { key, settle } of this.#open.values())
      settle(fail({ kind: 'unreachable', detail: `${key} is not asked any more` }))
  }
}

/** What an answer comes to. */
function judged(key: string, path: string, answer: ResponseMessage): Result<ResponseMessage, MqttProblem> {
  if (answer.rc < 300) return succeed(answer)
  const kinds: Readonly<Record<number, DeviceProblem['kind']>> = {
    404: 'unsupported',
    409: 'busy',
    501: 'unsupported',
  }
  const words = answer.message ? `: ${answer.message}` : ''
  const detail = `${key} answers ${path} with ${answer.rc}${words}`
  return fail({ kind: kinds[answer.rc] ?? 'failed', detail, rc: answer.rc })
}
