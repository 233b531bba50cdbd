import { isObject, type JsonObject } from '../redfish/resource.ts'

/** A message as any service may send it: everything but the id can be missing. */
export interface ReadMessage {
  readonly id: string
  /** The id without registry and version: `UpdateSuccessful`. */
  readonly key: string
  readonly registry: string
  readonly args: readonly string[]
  readonly text: string
  readonly severity: string
}

/** The messages of a Task, a Job or an error object. */
export function readMessages(body: JsonObject): ReadMessage[] {
  const error = body['error']
  const list = isObject(error) ? error['@Message.ExtendedInfo'] : body['Messages']
  if (!Array.isArray(list)) return []
  return list.flatMap((item: unknown): ReadMessage[] => {
    if (!isObject(item) || typeof item['MessageId'] !== 'string') return []
    const id = item['MessageId']
    const parts = id.split('.')
    const args: unknown = item['MessageArgs']
    return [
      {
        id,
        key: parts.at(-1) ?? id,
        registry: parts[0] ?? '',
        args: Array.isArray(args) ? args.map(String) : [],
        text: textOf(item['Message']) ?? id,
        severity: textOf(item['MessageSeverity'] ?? item['Severity']) ?? 'OK',
      },
    ]
  })
}

/** What an error answer says, in one line. */
export function errorText(status: number, body: JsonObject): string {
  const texts = readMessages(body).map((message) => `${message.text} (${message.id})`)
  return `HTTP ${status}${texts.length > 0 ? `: ${texts.join(' ')}` : ''}`
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
