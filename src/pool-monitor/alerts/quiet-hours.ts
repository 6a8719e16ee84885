import { invalid, type Reader, readOneOf, readOptions, readString, withDefault } from '../../core/index.js';

/** The hours in which a sink that heeds them is left alone, in local time of a place. */
export interface QuietHours {
  /** `22:00`, the first minute that is quiet. */
  readonly from: string;
  /** `07:00`, the first minute that is not. */
  readonly to: string;
  /** The place, by its IANA name: `Europe/Berlin`. */
  readonly timeZone: string;
  /** What passes nevertheless: `critical` alerts, or `nothing`. */
  readonly pass: 'critical' | 'nothing';
}

const readTime: Reader<string> = (value, path) => {
  if (typeof value !== 'string' || !/^(?:[01]\d|2[0-3]):[0-5]\d$/.test(value))
    throw invalid(path, value, 'a time of day from 00:00 to 23:59');
  return value;
};

const readTimeZone: Reader<string> = (value, path) => {
  const name = readString(value, path);
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw invalid(path, value, 'the IANA name of a time zone, such as Europe/Berlin');
  }
};

export const readQuietHours: Reader<QuietHours> = (value, path) => {
  const hours = readOptions<QuietHours>(
    value,
    {
      from: readTime,
      to: readTime,
      timeZone: readTimeZone,
      pass: withDefault(readOneOf(['critical', 'nothing']), 'critical'),
    },
    path,
  );
  if (hours.from === hours.to) throw invalid(`${path}.to`, hours.to, `another time than ${path}.from`);
  return hours;
};

/** Whether it is quiet at a moment. Asked anew every minute, so that neither daylight saving nor a set clock matters. */
export class QuietHoursClock {
  readonly #hours: QuietHours;
  readonly #format: Intl.DateTimeFormat;

  constructor(hours: QuietHours) {
    this.#hours = hours;
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone: hours.timeZone,
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  }

  /** `at` as of `Date.now()`. */
  isQuiet(at: number): boolean {
    const { from, to } = this.#hours;
    const time = this.#format.format(at);
    return from < to ? time >= from && time < to : time >= from || time < to;
  }
}

/** From a moment to the next full minute, in milliseconds. */
export function toNextMinute(at: number): number {
  return 60_000 - (at % 60_000);
}
