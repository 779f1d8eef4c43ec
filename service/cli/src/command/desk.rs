//! `healthcard desk`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};
use proto::v1::{
    CardEvent, CardEventsRequest, CloseTaskRequest, Contradiction, ListTasksRequest, Task,
    TaskResult, card_event::Kind, desks_client::DesksClient,
};

use super::Pages;
use crate::{
    context::{Context, Outcome},
    desk::{self, NewPin, Options, SamOptions, Until, Windows},
    exit::Exit,
    failure::Failure,
    json,
    page::{Cell, Page, timestamp},
    show,
    text::{self, parser, problems, word_of},
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Desk {
    #[command(subcommand)]
    command: Option<DeskCommand>,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Debug, Args)]
struct Watch {
    /// 只用名称含此文字的读卡器 | Only readers whose name contains this
    #[arg(long, value_name = "TEXT")]
    reader: Option<String>,
    /// 读一张卡后结束 | End after one card
    #[arg(long)]
    once: bool,
    /// 每个读卡器各是一个窗口：同时有几张卡也不询问 | Each reader is a desk of its own: do not ask when there are several cards
    #[arg(long)]
    each: bool,
    /// 在此地址提供运行指标，如 127.0.0.1:9464 | Offer metrics at this address, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// 允许其他机器读取运行指标 | Let other machines read the metrics
    #[arg(long, requires = "metrics")]
    insecure_metrics: bool,
    /// 在此位置（套接字文件）供本机软件经 libhealthcard 使用读卡器 | Let software on this machine use the cards through libhealthcard, by a socket at this place
    #[arg(long, value_name = "PATH")]
    interface: Option<PathBuf>,
    #[command(flatten)]
    sam: SamOptions,
}

#[derive(Debug, Subcommand)]
enum DeskCommand {
    /// 显示 SAM 卡：序列号、终端号、PIN 剩余次数、证书、主密钥校验值 | Show a SAM: serial, terminal, tries of its PIN, certificate, check values of its masters
    Sam {
        /// SAM 卡所在的读卡器，名称含此文字 | The reader of the SAM: its name contains this
        #[arg(value_name = "TEXT")]
        reader: String,
    },
    /// 修改 SAM 卡的 PIN，先显示剩余次数 | Change the PIN of a SAM; the tries that are left are shown first
    SamPin(NewPin),
    /// 列出与登记不符、待核实的离线读卡 | List readings without the service that contradict the record
    Tasks {
        /// 也列出已关闭的 | Also those that are closed
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        pages: Pages,
    },
    /// 核实后关闭任务 | Close a task, saying what came of it
    Close {
        /// 任务编号 | Number of the task
        #[arg(value_name = "TASK")]
        id: String,
        /// 结果 | What came of it
        #[arg(long, value_name = "RESULT", value_parser = parser::<TaskResult>())]
        result: TaskResult,
    },
    /// 监看本机构各窗口的读卡事件 | Watch what happens to cards at the desks
    Events {
        /// 从此标记之后续看 | Go on after this event
        #[arg(long, value_name = "CURSOR", default_value = "", hide_default_value = true)]
        after: String,
    },
}

impl Desk {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self.command {
            None => self.watch.run(context).await,
            Some(DeskCommand::Sam { reader }) => desk::show_sam(context, &reader).await,
            Some(DeskCommand::SamPin(order)) => desk::change_sam_pin(context, order).await,
            Some(DeskCommand::Tasks { all, pages }) => tasks(context, all, pages).await,
            Some(DeskCommand::Close { id, result }) => close(context, id, result).await,
            Some(DeskCommand::Events { after }) => events(context, after).await,
        }
    }
}

impl Watch {
    async fn run(self, context: &Context) -> Outcome {
        if let Some(address) = self.metrics
            && !address.ip().is_loopback()
            && !self.insecure_metrics
        {
            return Err(Failure::of(problems::METRICS_EXPOSED).about(address));
        }
        let options = Options {
            reader: self.reader,
            until: if self.once { Until::FirstCard } else { Until::Interrupted },
            windows: if self.each { Windows::Each } else { Windows::One },
            metrics: self.metrics,
            interface: self.interface,
            sam: self.sam,
        };
        desk::run(context, options).await
    }
}

async fn tasks(context: &Context, with_closed: bool, pages: Pages) -> Outcome {
    let Pages { page_size, page_token } = pages;
    let request = ListTasksRequest { with_closed, page_size, page_token };
    let listed = context
        .service
        .ask(async |channel| DesksClient::new(channel).list_tasks(request.clone()).await)
        .await?;
    let headings = [
        text::TASK_ID,
        text::DESK_READ_AT,
        text::DESK_CONTRADICTED,
        text::CHIP_SERIAL,
        text::CARD_ID,
        text::TASK_RESULT,
    ];
    let lines = listed.tasks.iter().map(|task| {
        vec![
            Cell::from(&task.task_id),
            Cell::from(timestamp(task.read_at.as_ref()).unwrap_or_default()),
            contradictions(task),
            Cell::from(&task.chip_serial),
            Cell::from(&task.card_id),
            word_of::<TaskResult>(task.result).map_or(Cell::from(""), Cell::from),
        ]
    });
    let page = show::listed(text::DESK_TASKS, &headings, lines.collect(), &listed.next_page_token);
    context.answer("ListTasksResponse", &listed, &page)
}

fn contradictions(task: &Task) -> Cell {
    let words = task.contradictions.iter();
    Cell::Listed(words.filter_map(|word| word_of::<Contradiction>(*word)).collect())
}

async fn close(context: &Context, task_id: String, result: TaskResult) -> Outcome {
    let request = CloseTaskRequest { task_id, result: result.into() };
    let closed = context
        .service
        .ask(async |channel| DesksClient::new(channel).close_task(request.clone()).await)
        .await?;
    let task = closed.task.clone().unwrap_or_default();
    let page = Page::titled(text::DESK_TASK_CLOSED)
        .row(text::TASK_ID, &task.task_id)
        .row(text::DESK_CONTRADICTED, contradictions(&task))
        .maybe(text::TASK_RESULT, word_of::<TaskResult>(task.result));
    context.answer("ClosedTask", &closed, &show::receipt(page, closed.receipt.as_ref()))
}

/// Shows events until the stream ends; who comes back later goes on after the last one's cursor.
async fn events(context: &Context, cursor: String) -> Outcome {
    let request = CardEventsRequest { cursor };
    let mut stream = context
        .service
        .ask(async |channel| DesksClient::new(channel).events(request.clone()).await)
        .await?;
    while let Some(event) = stream.message().await? {
        context.screen.show(&json::of("CardEvent", &event), &event_page(&event));
    }
    Ok(Exit::Unreachable)
}

fn event_page(event: &CardEvent) -> Page {
    let Some(kind) = word_of::<Kind>(event.kind) else {
        return Page::titled(text::DESK_EVENT_FROM).row(text::DESK_CURSOR, &event.cursor);
    };
    Page::titled(kind)
        .maybe(text::AT, timestamp(event.at.as_ref()))
        .row(text::DESK_ID, &event.desk_id)
        .row(text::DESK_READER, &event.reader)
        .row(text::WHY, &event.reason)
        .row(text::CARD_ID, &event.card_id)
        .row(text::RESIDENT_ID, &event.resident_id)
        .row(text::DESK_CURSOR, &event.cursor)
}
