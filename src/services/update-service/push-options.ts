import type { Bmc } from '../../bmc/bmc.ts'
import type { Settings } from '../../bmc/state.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { type ApplyTime, applyTimes, windowed } from '../../redfish/apply-times.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import { patchedTimes, windowOf, windowTimes } from './apply-time-support.ts'
import type { ParsedParameters } from './parameters.ts'
import { MAX_TARGETS, resolveTargets } from './references.ts'

const closed = { additionalProperties: false }
const APPLY_TIME = '/HttpPushUriOptions/HttpPushUriApplyTime'

/** What clients may say of the next images that come to HttpPushUri (UpdateService v1_17). */
export const pushPatch = {
  HttpPushUriTargets: Type.Optional(
    Type.Array(Type.String({ format: 'uri-reference', minLength: 1 }), { maxItems: MAX_TARGETS }),
  ),
  // Clients tell each other by these that they are at it; for the service they mean nothing.
  HttpPushUriTargetsBusy: Type.Optional(Type.Boolean()),
  HttpPushUriOptionsBusy: Type.Optional(Type.Boolean()),
  HttpPushUriOptions: Type.Optional(
    Type.Object(
      {
        ForceUpdate: Type.Optional(Type.Boolean()),
        HttpPushUriApplyTime: Type.Optional(
          Type.Object(
            {
              ApplyTime: Type.Optional(Type.Unsafe<ApplyTime>({ type: 'string', enum: applyTimes })),
              ...windowTimes,
            },
            closed,
          ),
        ),
      },
      closed,
    ),
  ),
}
type PushPatch = { readonly [N in keyof typeof pushPatch]?: Static<(typeof pushPatch)[N]> | undefined }

/** The members of UpdateService that belong to HttpPushUri. */
export function pushMembers(bmc: Bmc): JsonObject {
  const { settings } = bmc.state
  return {
    HttpPushUri: bmc.machine.updateRules.rawPushUri,
    HttpPushUriTargets: settings.pushTargets,
    HttpPushUriTargetsBusy: settings.pushTargetsBusy,
    HttpPushUriOptions: {
      ForceUpdate: settings.pushForce,
      HttpPushUriApplyTime: {
        ApplyTime: settings.pushApplyTime,
        'ApplyTime@Redfish.AllowableValues': bmc.machine.updateRules.applyTimes,
        // There is one window, whoever speaks of it; here it stands where it counts.
        ...(windowed.has(settings.pushApplyTime) && windowOf(bmc)),
      },
    },
    HttpPushUriOptionsBusy: settings.pushOptionsBusy,
  }
}

/** What a PATCH makes of the settings. Throws a RedfishError where a target is none, or the window is not said. */
export function pushSettings(bmc: Bmc, asked: PushPatch): Partial<Settings> {
  const { settings } = bmc.state
  const { ForceUpdate, HttpPushUriApplyTime: when = {} } = asked.HttpPushUriOptions ?? {}
  const { ApplyTime = settings.pushApplyTime } = when
  const isOffered = bmc.machine.updateRules.applyTimes.includes(ApplyTime)
  const mistakes = [
    ...resolveTargets(bmc, 'HttpPushUriTargets', asked.HttpPushUriTargets).mistakes,
    ...(isOffered
      ? []
      : [about(message('Base.PropertyValueNotInList', ApplyTime, 'ApplyTime'), `${APPLY_TIME}/ApplyTime`)]),
    ...(windowed.has(ApplyTime) && !windowed.has(settings.pushApplyTime) ? missingTimes(when) : []),
  ]
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
  return {
    pushTargets: asked.HttpPushUriTargets ?? settings.pushTargets,
    pushTargetsBusy: asked.HttpPushUriTargetsBusy ?? settings.pushTargetsBusy,
    pushOptionsBusy: asked.HttpPushUriOptionsBusy ?? settings.pushOptionsBusy,
    pushForce: ForceUpdate ?? settings.pushForce,
    pushApplyTime: ApplyTime,
    ...patchedTimes(when),
  }
}

/** What the next image that comes to HttpPushUri is for. */
export function pushParameters(bmc: Bmc): Result<ParsedParameters, readonly Message[]> {
  const { pushTargets, pushForce, pushApplyTime } = bmc.state.settings
  const { components, mistakes } = resolveTargets(bmc, 'HttpPushUriTargets', pushTargets)
  if (mistakes.length > 0) return fail(mistakes)
  return succeed({
    request: {
      targets: components.size > 0 ? components : undefined,
      exclude: new Set(),
      force: pushForce,
      applyTime: pushApplyTime,
      stage: false,
      keepsImage: false,
      dryRun: false,
      sha256: undefined,
    },
    // The body was none.
    jsonBody: '{}',
  })
}

/** Both are required where the apply time speaks of the window (UpdateService v1_17, HttpPushUriApplyTime). */
function missingTimes(given: JsonObject): Message[] {
  return Object.keys(windowTimes).flatMap((name) => {
    const pointer = `${APPLY_TIME}/${name}`
    return name in given ? [] : [about(message('Base.PropertyMissing', pointer.slice(1)), pointer)]
  })
}
