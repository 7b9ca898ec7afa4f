//! The five routes that every part of the programme has: all, add, one, put and take away. What a part is
//! called, where it stands and who may write it is all that its own file says.

/// Makes `routes`, the five handlers and the [`Part`](super::part::Part). The comments before the names are
/// what the OpenAPI document says.
macro_rules! part_routes {
    (
        $part:ident as $view:ident, $noun:literal in $($field:ident).+ at $at:literal, written by $write:ident;
        $path:literal, $one:literal: $said:literal;
        $(#[$list_doc:meta])* $list:ident;
        $(#[$create_doc:meta])* $create:ident;
        $(#[$read_doc:meta])* $read:ident;
        $(#[$put_doc:meta])* $put:ident;
        $(#[$delete_doc:meta])* $delete:ident;
    ) => {
        use actix_web::http::StatusCode;
        use actix_web::{HttpResponse, delete, get, post, put, web};
        use tessera_rules::Programme;
        use utoipa_actix_web::service_config::ServiceConfig;

        use super::part::{self, Condition, Named, Part, Sent, put_answer};
        use super::schemas;
        use crate::access::{Action, Caller, Resource};
        use crate::api::Services;
        use crate::api::error::{Code, Problem};
        use crate::api::extract::{Id, IfMatch, Json};
        use crate::api::guard::permit;
        use crate::api::openapi::problems;
        use crate::api::page::ListOf;
        use crate::api::work::{gone, versioned};

        pub(super) fn routes(config: &mut ServiceConfig<'_>) {
            config.service($list).service($create).service($read).service($put).service($delete);
        }

        impl Part for $part {
            const NOUN: &'static str = $noun;
            const AT: &'static str = $at;

            fn code(&self) -> &str {
                &self.code
            }

            fn list(programme: &Programme) -> &[Self] {
                &programme.$($field).+
            }

            fn list_mut(programme: &mut Programme) -> &mut Vec<Self> {
                &mut programme.$($field).+
            }
        }

        $(#[$list_doc])*
        #[utoipa::path(
            responses((status = 200, description = "All of them.", body = ListOf<schemas::$view>,
                headers(("ETag" = String, description = "The version of the programme.")))),
            extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
        )]
        #[get($path)]
        async fn $list(services: web::Data<Services>, caller: Caller) -> Result<HttpResponse, Problem> {
            permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
            let found = services.engine.programme().await?;
            let list = ListOf::whole(part::named::<$part>(&found.programme));
            Ok(versioned(StatusCode::OK, found.version, &list))
        }

        $(#[$create_doc])*
        #[utoipa::path(
            request_body = schemas::$part,
            responses((status = 201, description = "Added.", body = schemas::$view,
                headers(("ETag" = String, description = "The version of the programme.")))),
            extensions(("x-problems" = json!(problems(&[
                Code::CodeTaken, Code::ProgrammeInvalid, Code::NoProgramme
            ]))))
        )]
        #[post($path)]
        async fn $create(
            services: web::Data<Services>,
            caller: Caller,
            body: Json<Sent<$part>>,
        ) -> Result<HttpResponse, Problem> {
            permit(&caller, Action::$write, &Resource::Programme)?;
            let (version, created) = part::create(&services, &caller, body.0.0).await?;
            Ok(put_answer(version, true, &Named::from(created)))
        }

        $(#[$read_doc])*
        #[utoipa::path(
            params(("id" = String, Path, description = "Its code.")),
            responses((status = 200, description = $said, body = schemas::$view,
                headers(("ETag" = String, description = "The version of the programme.")))),
            extensions(("x-problems" = json!(problems(&[Code::NoProgramme]))))
        )]
        #[get($one)]
        async fn $read(
            services: web::Data<Services>,
            caller: Caller,
            id: Id<String>,
        ) -> Result<HttpResponse, Problem> {
            permit(&caller, Action::ReadProgramme, &Resource::Programme)?;
            let found = services.engine.programme().await?;
            let view = Named::from(part::find::<$part>(&found, &id.0)?);
            Ok(versioned(StatusCode::OK, found.version, &view))
        }

        $(#[$put_doc])*
        #[utoipa::path(
            params(("id" = String, Path, description = "Its code."), Condition),
            request_body = schemas::$part,
            responses(
                (status = 200, description = "Replaced.", body = schemas::$view,
                    headers(("ETag" = String, description = "The version of the programme."))),
                (status = 201, description = "Added.", body = schemas::$view,
                    headers(("ETag" = String, description = "The version of the programme."))),
            ),
            extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
        )]
        #[put($one)]
        async fn $put(
            services: web::Data<Services>,
            caller: Caller,
            id: Id<String>,
            condition: Condition,
            body: Json<Sent<$part>>,
        ) -> Result<HttpResponse, Problem> {
            permit(&caller, Action::$write, &Resource::Programme)?;
            let (version, stored, new) = part::put(&services, &caller, &id.0, condition, body.0.0).await?;
            Ok(put_answer(version, new, &Named::from(stored)))
        }

        $(#[$delete_doc])*
        #[utoipa::path(
            params(("id" = String, Path, description = "Its code."), IfMatch),
            responses((status = 204, description = "Gone.",
                headers(("ETag" = String, description = "The version of the programme.")))),
            extensions(("x-problems" = json!(problems(&[Code::ProgrammeInvalid, Code::NoProgramme]))))
        )]
        #[delete($one)]
        async fn $delete(
            services: web::Data<Services>,
            caller: Caller,
            id: Id<String>,
            if_match: IfMatch,
        ) -> Result<HttpResponse, Problem> {
            permit(&caller, Action::$write, &Resource::Programme)?;
            Ok(gone(part::delete::<$part>(&services, &caller, &id.0, if_match).await?))
        }
    };
}

pub(super) use part_routes;
