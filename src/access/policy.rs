//! The one policy function: may this caller do this to that?
//!
//! Pure, and complete by construction: the match over [`Action`] has no `_`, so that a new action does
//! not compile before somebody says who may do it, and every rule ends in a refusal. (A key may what
//! `scope_of` lists: there a new action is refused until somebody lists it.) What is refused because it
//! belongs to somebody else is [`Verdict::NotFound`]: whether it exists is not told either.

use std::sync::Arc;

use tessera_rules::command::{Actor, Role};
use tessera_rules::id::{ApiKeyId, MemberId, SessionId, StaffId, StoreId};

use super::{Principal, Scope, Scopes, StaffRole};

/// Whoever a bearer token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Staff, member or key.
    pub kind: Kind,
    /// The store, for cashiers, managers and keys.
    pub store: Option<StoreId>,
    /// The sign-in; a key needs none, and its own id stands here.
    pub session: SessionId,
    /// The person's name.
    pub name: Arc<str>,
}

/// Staff, member or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A member of staff, with a role.
    Staff(StaffId, StaffRole),
    /// A member of the programme.
    Member(MemberId),
    /// A till or an integration, and what its key is good for.
    Key(ApiKeyId, Scopes),
}

impl Caller {
    /// Who, without the role.
    pub fn principal(&self) -> Principal {
        match self.kind {
            Kind::Staff(id, _) => Principal::Staff(id),
            Kind::Member(id) => Principal::Member(id),
            Kind::Key(id, _) => Principal::Key(id),
        }
    }

    /// The role, as entries and answers name it.
    pub fn role(&self) -> Role {
        match self.kind {
            Kind::Staff(_, StaffRole::Cashier) => Role::Cashier,
            Kind::Staff(_, StaffRole::Manager) => Role::Manager,
            Kind::Staff(_, StaffRole::Admin) => Role::Admin,
            Kind::Member(_) => Role::Member,
            Kind::Key(..) => Role::Integration,
        }
    }

    /// Who acts, as entries record it.
    pub fn actor(&self) -> Actor {
        Actor { role: self.role(), id: Some(self.principal().uuid()) }
    }

    /// The member, if it is one.
    pub fn member(&self) -> Option<MemberId> {
        match self.kind {
            Kind::Member(id) => Some(id),
            Kind::Staff(..) | Kind::Key(..) => None,
        }
    }

    /// The member of staff, if it is one.
    pub fn staff(&self) -> Option<StaffId> {
        match self.kind {
            Kind::Staff(id, _) => Some(id),
            Kind::Member(_) | Kind::Key(..) => None,
        }
    }
}

/// Everything that can be asked of the API by somebody who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    // a member, for himself
    /// Read one's own profile.
    ReadOwnProfile,
    /// Change one's own profile.
    ChangeOwnProfile,
    /// Read one's own balance.
    ReadOwnBalance,
    /// Read one's own entries.
    ReadOwnLedger,
    /// Read one's own tier and progress.
    ReadOwnTier,
    /// Read one's own perks.
    ReadOwnPerks,
    /// Read one's own notices.
    ReadOwnNotices,
    /// Use what one's own tier entitles to.
    UseOwnEntitlement,
    /// Read whom one has referred.
    ReadOwnReferrals,
    /// Read one's own coupons.
    ReadOwnCoupons,
    /// Read what one could use now or soon.
    ReadOwnOffers,
    /// Read one's own wallet.
    ReadOwnWallet,
    /// Show the card with its code.
    ShowOwnCard,
    /// Read what points can be redeemed for.
    ReadCatalogue,
    /// Read one's own purchases.
    ReadOwnPurchases,
    /// Read one's own redemptions.
    ReadOwnRedemptions,
    /// Redeem one's own points.
    RedeemOwn,
    /// Set one's own PIN.
    SetOwnPin,
    /// Read what one gave to other members and was given.
    ReadOwnTransfers,
    /// Give one's own points to another member.
    TransferOwn,
    /// Read one's own household pool.
    ReadOwnPool,
    /// Invite to one's own pool, join one or leave it, and say as its head who is of it.
    ChangeOwnPool,
    // anybody who signed in
    /// End the sign-in, change the password.
    ManageOwnSession,
    // the till
    /// Enrol a member.
    EnrolMember,
    /// Find a member by phone, e-mail, code or external id, and read the masked profile.
    LookUpMember,
    /// Read a member's balance and tier at the till.
    ReadMemberBalance,
    /// Ask what a purchase would earn.
    PreviewPurchase,
    /// Ask what a basket costs a member.
    QuoteBasket,
    /// Record a purchase.
    RecordPurchase,
    /// Read a purchase, with what it earned.
    ReadPurchase,
    /// Take a purchase back, or a part of it.
    ReturnPurchase,
    /// Spend a member's points with his authorisation.
    RedeemForMember,
    /// Give a member's points to another with his authorisation.
    TransferForMember,
    /// Move a purchase to the member it should have been entered for.
    MovePurchase,
    /// Read a redemption.
    ReadRedemption,
    /// Capture a redemption on hold, or void one.
    SettleRedemption,
    /// Get redeemed goods ready, or hand them over.
    FulfilRedemption,
    /// Use for a member what his tier entitles to.
    UseEntitlement,
    /// Tell of something that happened to a member.
    RecordEvent,
    /// Read the movements of a member's wallet.
    ReadMemberWallet,
    /// Take money for a member's wallet.
    TopUpWallet,
    /// Pay money of a member's wallet out.
    RefundWallet,
    /// Look a coupon up by its code.
    LookUpCoupon,
    /// Read the tags a member has, and the segments he is in.
    ReadMemberTags,
    /// Read what a member could use now or soon.
    ReadMemberOffers,
    /// Give or take points by hand, or ask for it.
    AdjustPoints,
    // the back office
    /// Search members and read them in full.
    ReadMembers,
    /// Change a member's profile for him.
    ChangeMember,
    /// Freeze a member or let him go on.
    FreezeMember,
    /// Place a member in a tier.
    PlaceTier,
    /// Put tags on a member and take them off.
    ChangeMemberTags,
    /// Read what staff gave and took by hand.
    ReadAdjustments,
    /// Agree to what somebody else asked to give or take by hand, or not.
    DecideAdjustment,
    /// Give or take money of a wallet by hand.
    AdjustWallet,
    /// Rate purchases anew: plan it, look at it, apply it and take it back.
    ReRatePurchases,
    /// Erase a member's personal data.
    EraseMember,
    /// Merge two members, and undo it.
    MergeMembers,
    /// Read entries, lots and tier changes of any member.
    ReadLedger,
    /// Read reports.
    ReadReports,
    /// Read the audit log.
    ReadAudit,
    /// Read the programme: tiers, earning rules, promotions, rewards, perks, coupons, prices, segments.
    ReadProgramme,
    /// Change the programme, or try another.
    WriteProgramme,
    /// Change tiers.
    WriteTiers,
    /// Change earning rules.
    WriteEarningRules,
    /// Change, try, publish, pause or end promotions.
    WritePromotions,
    /// Change rewards and their stock.
    WriteRewards,
    /// Read the tickets for a draw, and whose they are.
    ReadTickets,
    /// Change perks.
    WritePerks,
    /// Change the kinds of coupons.
    WriteCoupons,
    /// Issue coupons, read those that were issued, and take one back.
    IssueCoupons,
    /// Change member prices, and what is for some tiers first.
    WritePrices,
    /// Change segments.
    WriteSegments,
    /// Read stores.
    ReadStores,
    /// Change stores.
    WriteStores,
    /// Read staff.
    ReadStaff,
    /// Add, change or disable staff.
    WriteStaff,
    /// Read, add or revoke API keys and webhooks.
    ManageIntegrations,
    /// Import history.
    RunImport,
    // the sandbox
    /// Read the sandbox clock and the messages kept.
    ReadSandbox,
    /// Move the sandbox clock.
    MoveSandboxClock,
}

/// What it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// The programme as a whole: lists, configuration, the catalogue.
    Programme,
    /// A member, or something that is only his.
    Member(MemberId),
    /// A document made at a store (absent: by the member himself or an import) for a member.
    Document {
        /// Whose points it moved.
        member: MemberId,
        /// Where.
        store: Option<StoreId>,
    },
    /// Something that belongs to a store.
    Store(StoreId),
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Answer 404: it belongs to somebody else.
    NotFound,
    /// Answer 403: not with this role.
    Forbidden,
}

/// May `caller` do `action` to `resource`?
pub fn may(caller: &Caller, action: Action, resource: &Resource) -> Verdict {
    use StaffRole::{Admin, Cashier, Manager};
    // A key does what it was made for; within that it is to the rest what a cashier of its store is.
    if let Kind::Key(_, scopes) = caller.kind
        && !scope_of(action).is_some_and(|scope| scopes.contains(scope))
    {
        return Verdict::Forbidden;
    }
    match action {
        Action::ManageOwnSession => Verdict::Allow,

        Action::ReadOwnProfile
        | Action::ChangeOwnProfile
        | Action::ReadOwnBalance
        | Action::ReadOwnLedger
        | Action::ReadOwnTier
        | Action::ReadOwnPerks
        | Action::ReadOwnNotices
        | Action::UseOwnEntitlement
        | Action::ReadOwnReferrals
        | Action::ReadOwnCoupons
        | Action::ReadOwnOffers
        | Action::ReadOwnWallet
        | Action::ShowOwnCard
        | Action::ReadCatalogue
        | Action::ReadOwnPurchases
        | Action::ReadOwnRedemptions
        | Action::RedeemOwn
        | Action::SetOwnPin
        | Action::ReadOwnTransfers
        | Action::TransferOwn
        | Action::ReadOwnPool
        | Action::ChangeOwnPool => own(caller, resource),

        Action::EnrolMember
        | Action::LookUpMember
        | Action::ReadMemberBalance
        | Action::UseEntitlement
        | Action::RecordEvent
        | Action::ReadMemberWallet
        | Action::TopUpWallet
        | Action::LookUpCoupon
        | Action::ReadMemberTags
        | Action::ReadMemberOffers
        | Action::PreviewPurchase
        | Action::QuoteBasket
        | Action::RecordPurchase
        | Action::ReadPurchase
        | Action::RedeemForMember
        | Action::TransferForMember
        | Action::ReadRedemption => at_store(caller, Cashier, resource),

        // Whether goods come back to another store than the one that sold them, the programme says.
        Action::ReturnPurchase => staff(caller, Cashier),
        Action::FulfilRedemption => at_counter(caller, resource),
        Action::SettleRedemption => at_own_store(caller, Cashier, resource),
        Action::MovePurchase => at_own_store(caller, Manager, resource),

        Action::AdjustPoints
        | Action::RefundWallet
        | Action::ReadMembers
        | Action::ChangeMember
        | Action::FreezeMember
        | Action::PlaceTier
        | Action::ChangeMemberTags
        | Action::ReadAdjustments
        | Action::ReadLedger
        | Action::ReadReports
        | Action::ReadProgramme
        | Action::ReadTickets
        | Action::ReadStores => staff(caller, Manager),

        Action::DecideAdjustment => in_charge(caller, resource),

        Action::AdjustWallet
        | Action::ReRatePurchases
        | Action::EraseMember
        | Action::MergeMembers
        | Action::ReadAudit
        | Action::WriteProgramme
        | Action::WriteTiers
        | Action::WriteEarningRules
        | Action::WritePromotions
        | Action::WriteRewards
        | Action::WritePerks
        | Action::WriteCoupons
        | Action::IssueCoupons
        | Action::WritePrices
        | Action::WriteSegments
        | Action::WriteStores
        | Action::ReadStaff
        | Action::WriteStaff
        | Action::ManageIntegrations
        | Action::RunImport
        | Action::ReadSandbox
        | Action::MoveSandboxClock => staff(caller, Admin),
    }
}

/// What a key must be good for to do this; nothing where no key may.
fn scope_of(action: Action) -> Option<Scope> {
    match action {
        Action::LookUpMember
        | Action::ReadMemberBalance
        | Action::ReadMemberTags
        | Action::ReadMemberWallet
        | Action::LookUpCoupon => Some(Scope::MembersRead),
        Action::EnrolMember => Some(Scope::MembersWrite),
        Action::ReadPurchase => Some(Scope::PurchasesRead),
        Action::PreviewPurchase | Action::QuoteBasket | Action::RecordPurchase | Action::ReturnPurchase => {
            Some(Scope::PurchasesWrite)
        }
        Action::RedeemForMember
        | Action::ReadRedemption
        | Action::SettleRedemption
        | Action::FulfilRedemption
        | Action::UseEntitlement => Some(Scope::RedemptionsWrite),
        Action::RecordEvent => Some(Scope::EventsWrite),
        // People and money by hand, the back office, and what is somebody's own: a new action is for people
        // until somebody says otherwise.
        _ => None,
    }
}

/// A member, with what is his own or everybody's. Staff have no points of their own here.
fn own(caller: &Caller, resource: &Resource) -> Verdict {
    let Kind::Member(me) = caller.kind else {
        return Verdict::Forbidden;
    };
    match *resource {
        Resource::Programme => Verdict::Allow,
        Resource::Member(member) | Resource::Document { member, .. } if member == me => Verdict::Allow,
        Resource::Member(_) | Resource::Document { .. } | Resource::Store(_) => Verdict::NotFound,
    }
}

/// Staff from a role upwards, whatever the resource.
fn staff(caller: &Caller, least: StaffRole) -> Verdict {
    match caller.kind {
        Kind::Staff(_, role) if role >= least => Verdict::Allow,
        Kind::Key(..) if least == StaffRole::Cashier => Verdict::Allow,
        Kind::Staff(..) | Kind::Member(_) | Kind::Key(..) => Verdict::Forbidden,
    }
}

/// Staff from a role upwards; cashiers with what belongs to their own store only. A member as such
/// belongs to no store: every till serves him.
fn at_store(caller: &Caller, least: StaffRole, resource: &Resource) -> Verdict {
    let allowed = staff(caller, least);
    if allowed != Verdict::Allow {
        return allowed;
    }
    let theirs = match *resource {
        Resource::Programme | Resource::Member(_) => return Verdict::Allow,
        Resource::Document { store, .. } => store,
        Resource::Store(store) => Some(store),
    };
    match caller.kind {
        Kind::Staff(_, StaffRole::Manager | StaffRole::Admin) => Verdict::Allow,
        Kind::Staff(_, StaffRole::Cashier) | Kind::Key(..) if theirs.is_some() && theirs == caller.store => {
            Verdict::Allow
        }
        Kind::Staff(_, StaffRole::Cashier) | Kind::Member(_) | Kind::Key(..) => Verdict::NotFound,
    }
}

/// As [`at_own_store`] for everybody who sells; what lies in no store yet any of them may bring out.
fn at_counter(caller: &Caller, resource: &Resource) -> Verdict {
    match resource {
        Resource::Document { store: None, .. } => staff(caller, StaffRole::Cashier),
        _ => at_own_store(caller, StaffRole::Cashier, resource),
    }
}

/// Admins, and the managers of the store that a document belongs to.
fn in_charge(caller: &Caller, resource: &Resource) -> Verdict {
    let allowed = staff(caller, StaffRole::Manager);
    let theirs = match *resource {
        Resource::Programme | Resource::Member(_) => return allowed,
        Resource::Document { store, .. } => store,
        Resource::Store(store) => Some(store),
    };
    match caller.kind {
        Kind::Staff(_, StaffRole::Manager) if theirs.is_none() || theirs != caller.store => Verdict::NotFound,
        Kind::Staff(..) | Kind::Member(_) | Kind::Key(..) => allowed,
    }
}

/// As [`at_store`], and managers too change the documents of their own store only, and those of no
/// store.
fn at_own_store(caller: &Caller, least: StaffRole, resource: &Resource) -> Verdict {
    let theirs = match *resource {
        Resource::Document { store, .. } => store,
        Resource::Store(store) => Some(store),
        Resource::Programme | Resource::Member(_) => None,
    };
    match caller.kind {
        Kind::Staff(_, StaffRole::Manager) if theirs.is_some() && theirs != caller.store => Verdict::NotFound,
        Kind::Staff(..) | Kind::Member(_) | Kind::Key(..) => at_store(caller, least, resource),
    }
}
