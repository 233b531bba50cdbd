import { type LogId, logs } from '../../bmc/log.ts'
import { managerPath } from '../../bmc/serving-manager.ts'
import { type EndpointHandler, paramsOf, pathOf } from '../../http/context.ts'
import { JSON_TYPE, notFound } from '../../http/errors.ts'
import type { Endpoint } from '../../http/mount.ts'
import { timestamp } from '../../lib/clock.ts'
import { AUDIT_LOG, JOB_LOG, LOG, uris } from '../../redfish/uris.ts'

/** What DownloadRawLog leads to: each log as it is kept, in one JSON array. */
export const rawLogs: readonly Endpoint[] = ([LOG, AUDIT_LOG, JOB_LOG] as const).map((log) => {
  const get = download(log)
  return { path: uris.rawLog(managerPath, log), privileges: {}, methods: { GET: get, HEAD: get } }
})

function download(log: LogId): EndpointHandler {
  return (request, reply, { bmc }) => {
    const { manager } = paramsOf(request)
    if (manager !== undefined && uris.manager(manager) !== bmc.machine.manager)
      throw notFound(pathOf(request))
    const entries = [...bmc.state[logs[log]].values()].map(({ created, ...entry }) => ({
      created: timestamp(created),
      ...entry,
    }))
    return reply.headers({ Allow: 'GET, HEAD' }).type(JSON_TYPE).send(JSON.stringify(entries))
  }
}
