import { Agent } from 'undici'
import { fail, type Result } from '../lib/result.ts'
import { FetchError, type Fetcher, type FetchProblem, type TransferOptions } from './fetcher.ts'
import { decoded, fileNameOf, plainName } from './file-name.ts'
import { createConnections } from './http-connection.ts'
import { download, lengthOf } from './http-download.ts'
import { type Answer, type Headers, textOf, visit } from './http-visit.ts'
import { openSource } from './source.ts'

/** Fetches by HTTP and HTTPS. Every image has an agent of its own: what is left of it ends with it. */
export function createHttpFetcher({ clock, network }: TransferOptions): Fetcher {
  return {
    open: async (request) => {
      const { signal } = request
      const { connect, heldExcess, refusal } = createConnections(network, request)
      // The clock ends what takes too long, whatever it waits for; no proxy, whatever the environment says.
      const agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 })
      const ask = async (headers: Headers): Promise<Result<Answer, FetchProblem>> => {
        const answer = await visit(agent, request, headers)
        return answer.ok ? answer : fail(refusal() ?? answer.problem)
      }
      return openSource({ signal, close: () => agent.destroy() }, async () => {
        const first = required(await ask({}))
        const { statusCode: code, headers } = first
        if (code === 206) throw new FetchError({ kind: 'http-failure', code }) // nobody asked for a range
        const chunks = download({ first, ask, heldExcess, clock, signal })
        return {
          fileName: nameIn(textOf(headers['content-disposition'])) ?? fileNameOf(request.uri),
          sizeBytes: lengthOf(first),
          next: async () => {
            const { done, value } = await chunks.next()
            return done === true ? undefined : value
          },
        }
      })
    },
  }
}

function required(answer: Result<Answer, FetchProblem>): Answer {
  if (!answer.ok) throw new FetchError(answer.problem)
  return answer.value
}

/** The file name of a Content-Disposition (RFC 6266); the one that can hold any letter goes first. */
function nameIn(disposition = ''): string | undefined {
  const extended = /;\s*filename\*\s*=\s*UTF-8'[^']*'([^\s;]+)/i.exec(disposition)?.[1]
  if (extended !== undefined) return plainName(decoded(extended))
  const [, quoted, plain] = /;\s*filename\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;"]+))/i.exec(disposition) ?? []
  const name = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain
  return name === undefined ? undefined : plainName(name)
}
