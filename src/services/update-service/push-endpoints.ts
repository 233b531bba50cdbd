import type { UpdateRules } from '../../bmc/update-rules.ts'
import type { Endpoint } from '../../http/mount.ts'
import type { UpdateMethod } from './methods.ts'
import { pushEndpoint, type PushOptions } from './push.ts'
import { multipartPush } from './push-multipart.ts'
import { rawPush } from './push-raw.ts'

/** The URIs of the ways to push that are there, on any BMC: what is one way's on one may be another's on the next. */
export function pushEndpoints(
  names: ReadonlySet<UpdateMethod>,
  rules: readonly UpdateRules[],
  options: PushOptions,
): Endpoint[] {
  const methods = [multipartPush, rawPush].filter(({ name }) => names.has(name))
  const paths = new Set(methods.flatMap(({ uri }) => rules.map(uri)))
  return [...paths].map((path) => pushEndpoint(path, methods, options))
}
