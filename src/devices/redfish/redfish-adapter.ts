import { Background } from '../../lib/background.ts'
import type { Result } from '../../lib/result.ts'
import { uris } from '../../redfish/uris.ts'
import type { DeviceAdapter, DeviceAddress, DeviceProblem } from '../device.ts'
import type { FlashProblem } from '../flasher.ts'
import { type Connection, originOf, type RedfishOptions, textIn, withDevice } from './connection.ts'
import { findParts, readFacts } from './facts.ts'
import { DeviceError, resultsBy } from '../device-error.ts'
import { placesBy } from '../place.ts'
import { UnderWay } from '../under-way.ts'
import { answerProblem, problemOf } from './problems.ts'
import { offeredResets, resetAction } from './resets.ts'
import { Stages } from './stages.ts'
import { cancel } from './withdrawal.ts'

export type { RedfishOptions } from './connection.ts'

const asResult = resultsBy(problemOf)
const closed: DeviceProblem = { kind: 'unreachable', detail: 'nobody is reached any more: the service ends' }

/** Reaches real BMCs, and whatever else is a Redfish service. */
export function createRedfishAdapter(options: RedfishOptions): DeviceAdapter {
  const stages = new Stages(options)
  const underWay = new UnderWay()
  const background = new Background((error) => options.failed?.(error))

  const stage = <J extends { readonly signal: AbortSignal }, T>(
    job: J,
    work: (job: J) => Promise<Result<T, FlashProblem>>,
  ): Promise<Result<T, FlashProblem>> =>
    underWay.run(job.signal, (signal) => work({ ...job, signal }), { kind: 'failed' })
  const ask = <T>(
    device: DeviceAddress,
    asked: AbortSignal,
    work: (connection: Connection) => Promise<T>,
  ): Promise<Result<T, DeviceProblem>> =>
    underWay.run(
      asked,
      (signal) => asResult(signal, () => withDevice(options, { device, signal }, work)),
      closed,
    )

  return {
    placeOf: placesBy(originOf, uris.root),
    look: (device, signal) => ask(device, signal, readFacts),
    reset: (device, asked, signal) => ask(device, signal, (connection) => reset(connection, asked)),
    transfer: (job) => stage(job, (one) => stages.transfer(one)),
    verify: (job) => stage(job, (one) => stages.verify(one)),
    install: (job) => stage(job, (one) => stages.install(one)),
    activate: (job) => stage(job, (one) => stages.activate(one)),
    inquire: (job, at) => stage(job, (one) => stages.inquire(one, at)),
    withdraw: (job, at) => stage(job, (one) => stages.withdraw(one, at)),
    release: (job) => {
      const left = stages.release(job)
      if (left === undefined) return
      background.start(async (signal) => {
        await asResult(signal, () =>
          withDevice(options, { device: job.device, signal }, (connection) => cancel(connection, left)),
        )
      })
    },
    close: async () => {
      const ended = underWay.close()
      stages.close()
      await Promise.all([ended, background.close()])
    },
  }
}

/** Asks for a reset, and does not wait for it. */
async function reset(
  connection: Connection,
  { of, type }: { readonly of: 'system' | 'manager'; readonly type: string },
): Promise<void> {
  const resource = (await findParts(connection))[of]
  const target = textIn(resetAction(resource), 'target')
  const offered = await offeredResets(connection, resource)
  if (target === undefined || offered?.includes(type) === false)
    throw new DeviceError({ kind: 'unsupported', detail: `its ${of} offers no reset ${type}` })
  try {
    const answer = await connection.client.post(target, { ResetType: type })
    if (answer.status >= 300) throw new DeviceError(answerProblem(`the reset ${type}`, answer))
  } catch (error) {
    // Some managers are gone before they have answered.
    const isLost = of === 'manager' && problemOf(error)?.kind === 'unreachable'
    if (!isLost) throw error
  }
}
