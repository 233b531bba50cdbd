import type { BmcAction } from '../../bmc/bmc.ts'
import type { Rollouts } from '../../console/rollouts/rollouts.ts'
import type { Redo } from '../../console/rollouts/redoing.ts'
import type { Refusal } from '../../console/rollouts/refusal.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { errorBody, RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { referencePath } from '../../redfish/uris.ts'
import { readable } from '../../redfish/validation.ts'
import type { rolloutActions } from '../../tasks/job-resource.ts'
import { leadsToDevices } from '../../update/targets.ts'

const SomeTargets = Type.Object(
  { Targets: Type.Optional(Type.Array(Type.String({ format: 'uri-reference', minLength: 1 }))) },
  { additionalProperties: false },
)

const Devices = Type.Object(
  { Targets: Type.Array(Type.String({ format: 'uri-reference', minLength: 1 }), { minItems: 1 }) },
  { additionalProperties: false },
)

/** What may be done to a roll-out as a whole, beside what may be done to any job. */
export function rolloutActionsOf(
  rollouts: Rollouts,
): Readonly<Record<(typeof rolloutActions)[number], BmcAction>> {
  return {
    'Oem/RedflashJob.AddDevices': addition(rollouts),
    'Oem/RedflashJob.RetryFailed': redoing(rollouts, 'RetryFailed'),
    'Oem/RedflashJob.RollBack': redoing(rollouts, 'RollBack'),
  }
}

/** Devices come to a roll-out while it goes on; those that do not join it are told of. */
function addition(rollouts: Rollouts): BmcAction {
  return {
    parameters: Devices,
    mistakes: ({ bmc, body }, found) =>
      (readable<Static<typeof Devices>>(body, found).Targets ?? []).flatMap((uri, index) =>
        uri === null || leadsToDevices(bmc, uri)
          ? []
          : [about(message('Base.ResourceMissingAtURI', referencePath(uri)), `/Targets/${index}`)],
      ),
    run: async ({ bmc, params: { id = '' }, body, actor: by }) => {
      const { Targets } = body as Static<typeof Devices>
      const added = await rollouts.add(bmc, id, { wanted: Targets.map(referencePath), by })
      if (!added.ok) throw refused(added.problem)
      return added.value.length === 0 ? { status: 204 } : { status: 200, body: errorBody(added.value) }
    },
  }
}

/** What is done anew to devices of a roll-out: all for which that can be, unless some are named. */
function redoing(rollouts: Rollouts, kind: Redo['kind']): BmcAction {
  return {
    parameters: SomeTargets,
    run: async ({ bmc, params: { id = '' }, body, actor: by }) => {
      const { Targets } = body as Static<typeof SomeTargets>
      const wanted = { kind, targets: Targets?.map(referencePath) }
      const redone = await rollouts.redo(bmc, id, { wanted, by })
      if (!redone.ok) throw refused(redone.problem)
      return { status: 204 }
    },
  }
}

function refused({ kind, why }: Refusal): RedfishError {
  return new RedfishError(kind === 'wrong-targets' ? 400 : 409, why)
}
