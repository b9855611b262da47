CREATE TABLE "responses" (
	"id" text PRIMARY KEY NOT NULL,
	"key_id" uuid,
	"response" text NOT NULL,
	"items" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "responses_key" ON "responses" USING btree ("key_id","created_at");--> statement-breakpoint
CREATE INDEX "responses_created" ON "responses" USING btree ("created_at");