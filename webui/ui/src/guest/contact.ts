// What a guest has to tell before something is held; the limits are those of the contract.
import type { Contact } from "../shared/api/types";

export interface ContactFields {
  name: string;
  email: string;
  phone: string;
}

export type Missing = "name" | "email";

/** The first thing that is missing or cannot be an address; whether mail arrives there is not decided here. */
export function missing(fields: ContactFields): Missing | undefined {
  if (fields.name.trim() === "") return "name";
  return /^[^\s@]+@[^\s@]+$/.test(fields.email.trim()) ? undefined : "email";
}

export function contactOf(fields: ContactFields): Contact {
  const phone = fields.phone.trim();
  const contact: Contact = { displayName: fields.name.trim(), email: fields.email.trim() };
  return phone === "" ? contact : { ...contact, phone };
}
