import type { OnDevice } from '../device.ts'
import type { ActivationJob, FlashProblem } from '../flasher.ts'
import type { Course } from './course.ts'
import { itemOf } from './facts.ts'
import { answerProblem, problemOf } from './problems.ts'
import { passedOn, problemMessage } from './remote-messages.ts'
import { RefusalError } from './sending.ts'

type Job = Pick<ActivationJob & OnDevice, 'component' | 'firmware'>

/** A stage came to a bad end. */
export class StageError extends Error {
  readonly problem: FlashProblem

  constructor(problem: FlashProblem) {
    super(problem.kind)
    this.problem = problem
  }
}

/** That an update has ended badly, with what the device says of that. */
export function failure({ component, firmware }: Job, { said, seen }: Course): StageError {
  const why = passedOn(said, { target: itemOf(firmware), component: component.uri })
  const silent = answerProblem(`the update ended as ${seen.state ?? 'it did'}`, seen.answer)
  return new StageError({
    kind: 'failed',
    why: why.length > 0 ? why : [problemMessage(component.uri, silent)],
  })
}

/** What became of a stage in which this was thrown; throws what is a bug. */
export function flashProblem({ component, firmware }: Job, error: unknown): FlashProblem {
  if (error instanceof StageError) return error.problem
  if (error instanceof RefusalError) {
    if (error.problem !== undefined) return error.problem
    const why = passedOn(error.said, { target: itemOf(firmware), component: component.uri })
    const silent = problemMessage(component.uri, answerProblem('the image was refused', error.answer))
    return { kind: 'failed', why: why.length > 0 ? why : [silent] }
  }
  const problem = problemOf(error)
  if (problem === undefined) throw error
  return { kind: 'failed', why: [problemMessage(component.uri, problem)] }
}
